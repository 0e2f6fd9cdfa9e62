"""Side-by-side measurements: one module a benchmark, each comparing ours with a plain baseline in one run."""
