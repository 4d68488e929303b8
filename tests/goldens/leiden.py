"""The mean modularity of igraph and the best of igraph and leidenalg on seeded random graphs, for the unit test of src/motif/leiden.c,
where the same generator stands in C. Usage: leiden.py > leiden.h (Python packages igraph, leidenalg)"""

import random
import struct

import igraph
import leidenalg

MASK = (1 << 64) - 1
SEEDS = 50
# nodes, blocks, chance of a link inside a block and between two, in 1/1000
GRAPHS = [(60, 3, 300, 50), (100, 1, 100, 0), (200, 8, 300, 60), (300, 10, 100, 30), (500, 1, 20, 0), (800, 40, 500, 10), (1000, 6, 40, 15)]


def mix64(k):
    z = (k + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Stream:
    """sn_stream of core/rng.h."""

    def __init__(self, seed, a, b):
        self.state = mix64((mix64((mix64(seed) + a) & MASK) + b) & MASK)

    def unit(self):
        out = mix64(self.state)
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return (out >> 11) * 2.0**-53


def graph(index):
    n, blocks, inside, between = GRAPHS[index]
    stream, edges, weights = Stream(5, index, 0), [], []
    for i in range(n):
        for j in range(i):
            draw, weight = stream.unit(), stream.unit()
            if draw < (inside if i % blocks == j % blocks else between) / 1000:
                edges.append((i, j))
                weights.append(struct.unpack("f", struct.pack("f", weight))[0])
    return igraph.Graph(n, edges), weights


def modularities(g, weights):
    by_igraph, by_leidenalg = [], []
    for seed in range(1, SEEDS + 1):
        random.seed(seed)
        igraph.set_random_number_generator(random)
        p = g.community_leiden(objective_function="modularity", weights=weights, n_iterations=-1)
        by_igraph.append(g.modularity(p.membership, weights=weights))
        p = leidenalg.find_partition(g, leidenalg.ModularityVertexPartition, weights=weights, n_iterations=-1, seed=seed)
        by_leidenalg.append(g.modularity(p.membership, weights=weights))
    return sum(by_igraph) / SEEDS, max(by_igraph + by_leidenalg)


if __name__ == "__main__":
    versions = f"igraph {igraph.__version__} (mean, best) and leidenalg {leidenalg.__version__} (best)"
    print(f"/* Made by leiden.py: {SEEDS} seeds each of {versions}. */")
    print("static const struct {\n    int n, blocks;\n    double inside, between; /* in 1/1000 */\n    int64_t edges;")
    print("    double weight, mean, best;\n} LEIDEN[] = {")
    for index, (n, blocks, inside, between) in enumerate(GRAPHS):
        g, weights = graph(index)
        mean, best = modularities(g, weights)
        print(f"    {{{n}, {blocks}, {inside}, {between}, {g.ecount()}, {sum(weights):.9g}, {mean:.9g}, {best:.9g}}},", flush=True)
    print("};")
