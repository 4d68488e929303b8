/* exp in double, the same bits everywhere: no libm. */
#ifndef SN_CORE_EXP_H
#define SN_CORE_EXP_H

/* e^x to 2e-15 relative; 0 below -708, infinity above 709. */
double sn_exp(double x);

#endif
