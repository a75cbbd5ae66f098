//! Hard negatives, judging, curation, training, evaluation and promotion.
