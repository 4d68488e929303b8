/* Visibility of public symbols: the library is built with hidden visibility, only SEQNET_API functions leave it. */
#ifndef SEQNET_EXPORT_H
#define SEQNET_EXPORT_H

#if defined(__GNUC__)
#define SEQNET_API __attribute__((visibility("default")))
#define SEQNET_NODISCARD __attribute__((warn_unused_result))
#else
#define SEQNET_API
#define SEQNET_NODISCARD
#endif

#endif
