/* The natural logarithm in double, the same bits everywhere: no libm. */
#ifndef SN_CORE_LN_H
#define SN_CORE_LN_H

/* ln x to 4e-16 relative (absolute near 1); minus infinity at 0, NaN below. */
double sn_ln(double x);

#endif
