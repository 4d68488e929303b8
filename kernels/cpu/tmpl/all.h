/* Every family of slots; included once per table. */
#include "cpu/tmpl/cancel.h"
#include "cpu/tmpl/codes_attr.h"
#include "cpu/tmpl/codes_global.h"
#include "cpu/tmpl/codes_pool.h"
#include "cpu/tmpl/conv.h"
#include "cpu/tmpl/dropout.h"
#include "cpu/tmpl/element.h"
#include "cpu/tmpl/loss.h"
#include "cpu/tmpl/lstm.h"
#include "cpu/tmpl/norm.h"
#include "cpu/tmpl/optim.h"
#include "cpu/tmpl/pool.h"
#include "cpu/tmpl/softmax.h"

static void SN_T(fill_all)(struct sn_kernels *k) {
    SN_T(fill_gemm)(k);
    SN_T(fill_conv)(k);
    SN_T(fill_lstm)(k);
    SN_T(fill_element)(k);
    SN_T(fill_softmax)(k);
    SN_T(fill_pool)(k);
    SN_T(fill_dropout)(k);
    SN_T(fill_norm)(k);
    SN_T(fill_cancel)(k);
    SN_T(fill_loss)(k);
    SN_T(fill_optim)(k);
    SN_T(fill_codes)(k);
    SN_T(fill_codes_global)(k);
    SN_T(fill_codes_attr)(k);
}
