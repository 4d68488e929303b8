/* What the files share that gather the report: blocks of memory that live as long as it is written. */
#ifndef SN_API_REPORT_PARTS_H
#define SN_API_REPORT_PARTS_H

#include "api/report_data.h"
#include "report/report.h"

struct sn_gather {
    const struct sn_report_input *in;
    struct sn_report r;
    void **blocks;
    size_t n_blocks, cap_blocks;
    /* growing lists, moved into r at the end */
    struct sn_report_card cards[20];
    struct sn_report_evaluation evaluations[20];
    int n_cards, n_evaluations;
};
#define SN_GATHER_MODELS 8 /* of an ensemble: cards and curves of further ones are left out */

/* Zeroed memory freed with the rest; NULL with the error set. */
void *sn_gather_block(struct sn_gather *g, size_t n, size_t size);
/* Text likewise. */
const char *sn_gather_text(struct sn_gather *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A count with its thousands apart. */
const char *sn_gather_count(struct sn_gather *g, int64_t n);

/* A card of up to `most` facts; adding one copies nothing (texts are of the gathering). */
struct sn_gather_card {
    struct sn_gather *g;
    struct sn_report_fact *facts;
    int n, most;
};
int sn_gather_card(struct sn_gather *g, const char *title, int most, struct sn_gather_card *out);
/* value NULL: memory was short, SEQNET_ENOMEM; "" is left out. */
int sn_gather_fact(struct sn_gather_card *c, const char *name, const char *value);
void sn_gather_card_end(struct sn_gather_card *c);

int sn_gather_models(struct sn_gather *g);   /* report_model.c: cards, training, figures on held-out sequences */
int sn_gather_patterns(struct sn_gather *g); /* report_patterns.c */
int sn_gather_examples(struct sn_gather *g); /* report_data.c */

#endif
