/* libseqnet: sequence models for bioinformatics in C. Include this header, compile with `pkg-config --cflags --libs seqnet`.
 *
 * Make a seqnet_ctx; open sources, load models; then predict, train, scan or explain:
 *
 *     seqnet_ctx *ctx = NULL;
 *     seqnet_model *model = NULL;
 *     if (seqnet_ctx_create(NULL, &ctx) < 0 || seqnet_model_load(ctx, "rest.seqnet", &model) < 0)
 *         fprintf(stderr, "%s\n", seqnet_errmsg());
 *
 * Functions return 0 or a negative SEQNET_E code and set seqnet_errmsg(). Options are structs with `size` first: fill them with their
 * _defaults() function. Structs that a function fills want `size` set to their sizeof too; fields beyond it are not written. Coordinates
 * are 0-based half-open. The library never prints, exits, or touches the environment. Until 1.0 the interface may change. */
#ifndef SEQNET_SEQNET_H
#define SEQNET_SEQNET_H

#include "seqnet/ctx.h"
#include "seqnet/error.h"
#include "seqnet/explain.h"
#include "seqnet/model.h"
#include "seqnet/motifs.h"
#include "seqnet/predict.h"
#include "seqnet/scan.h"
#include "seqnet/source.h"
#include "seqnet/text.h"
#include "seqnet/train.h"
#include "seqnet/version.h"

#endif
