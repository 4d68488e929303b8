/* How long to train, and how fast. */
#include "train/parts.h"

#define PI 3.14159265358979323846

/* Taylor's series up to y^22, whose remainder is below 1e-19 for 0 <= y <= pi/2. */
static double cos_quadrant(double y) {
    double z = y * y, sum = 1;
    for (int k = 22; k >= 2; k -= 2) sum = 1 - sum * z / (k * (k - 1));
    return sum;
}

double sn_cos(double x) {
    return x <= PI / 2 ? cos_quadrant(x) : -cos_quadrant(PI - x);
}

double sn_learning_rate(const struct sn_training *t, int64_t step, int64_t total) {
    double peak = t->learning_rate, warm = t->warmup_fraction * (double)total, at = (double)step;
    if (t->schedule == SN_LR_CONSTANT) return peak;
    if (at < warm) return peak * (t->start_fraction + (1 - t->start_fraction) * at / warm);
    double rest = (double)total - warm;
    return rest > 0 ? peak * 0.5 * (1 + sn_cos(PI * (at - warm) / rest)) : peak;
}

int64_t sn_epochs_for(const struct sn_training *t, int64_t steps) {
    int64_t least = (t->min_steps + steps - 1) / steps;
    return t->epochs > least ? t->epochs : least;
}
