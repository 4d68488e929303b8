/* exp in double, the same bits everywhere: no libm. */
#ifndef SN_CORE_EXP_H
#define SN_CORE_EXP_H

/* e^x to 2e-15 relative; 0 below -708, infinity above 709. */
double sn_exp(double x);

/* x[i] = sn_exp(x[i]), the same bits; all n of them 709 or less. */
void sn_exps(double *x, int n);

#endif
