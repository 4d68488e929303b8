/* What the files that read and write architectures share. */
#ifndef SN_MODEL_ARCH_PARTS_H
#define SN_MODEL_ARCH_PARTS_H

#include "model/doc.h"
#include "model/model.h"

#define SN_MAX_NODES 4096

/* Which loss goes with which last activation and which kind of data. */
struct sn_loss_word {
    const char *word;
    enum sn_loss_kind kind;
    const char *activation;
    enum sn_task_kind data;
    const char *data_word;
};
extern const struct sn_loss_word sn_loss_words[]; /* ends with word NULL */
const struct sn_loss_word *sn_loss_word(enum sn_loss_kind kind);
const struct sn_loss_word *sn_loss_for_data(enum sn_task_kind kind);

/* The layers while they are read. */
struct sn_arch_layers {
    struct sn_arch *arch;
    const struct sn_doc *list; /* all layers, for messages about those that come later */
    struct sn_arch_name {
        char name[SN_NAME_MAX];
        int node;
    } * names; /* a layer's name -> the node it ends with; the latest comes last */
    size_t n, cap;
    struct sn_arch_count {
        const char *word; /* borrowed */
        int next;
    } * counts; /* next free N of WORD_N */
    size_t n_counts, cap_counts;
    int last;      /* node the chain stands at */
    int repeating; /* depth of `repeat` */
    bool *is_auto; /* (SN_MAX_NODES) nodes that stand for `activation: auto` */
};

/* layers.c: fills the graph. */
int sn_layers_parse(struct sn_arch_layers *l, const struct sn_doc *list);
int sn_layers_find(const struct sn_arch_layers *l, const struct sn_doc *ref, const char *self, int *node);
void sn_layers_free(struct sn_arch_layers *l);
/* heads.c: heads, and what `auto` means. */
int sn_heads_parse(struct sn_arch_layers *l, const struct sn_doc *heads, const struct sn_doc *loss);
int sn_heads_bind(struct sn_arch *a, enum sn_task_kind kind);
/* training.c. `loss` receives the value of the key `loss`, which belongs to the head, or NULL. d may be NULL: defaults. */
int sn_training_parse(const struct sn_doc *d, struct sn_training *t, const struct sn_doc **loss);
int sn_training_json(struct sn_str *b, const struct sn_training *t);
/* arch.c: from a document; takes nothing over. */
int sn_arch_from_doc(const struct sn_doc *d, struct sn_arch **out);
/* Nothing is left for the data to decide. */
bool sn_arch_bound(const struct sn_arch *a);

#endif
