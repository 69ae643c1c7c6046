// Package prefinetune is massively multi-task pre-finetuning: a stage between
// language-model pre-training and fine-tuning in which a model learns from many
// datasets at once (Aghajanyan et al., "Muppet", EMNLP 2021, arXiv 2101.11038).
//
// Three decisions make the recipe:
//
//   - Batches are heterogeneous. Examples of all tasks are shuffled together, which
//     samples every task in proportion to its size, and every update averages
//     over whatever tasks its batch holds. A batch is packed without padding up
//     to a number of tokens.
//   - Losses are scaled. Each example's cross entropy is divided by log n, n being
//     the number of things it chooses among: classes, candidates, positions, tokens. Uniform
//     predictions then cost 1 in every task, and the loss is the mean over examples. A
//     regression costs the squared error of its standardised score, so that predicting
//     the mean costs 1 (RegressionHead).
//   - Heads are shared where that helps: each classification and regression has its own, all
//     ranking tasks share one, and so do all span tasks. Summaries are written by BART's
//     decoder, which has learned to.
//
// Each has its alternatives in Config, which the paper compared or left open: batches of
// one task, other ways of sampling, fixed and learned weights, the mean over tasks, R3F and
// R4F (arXiv 2008.03156), several batches to an update.
//
// What users of multi-task programs miss is written down: every step's loss and gradient by
// task and the mix as it was, on request evaluations on the way, by which the best weights are
// kept and a run stops early, decided by all tasks together, and the angles between
// the tasks' gradients, which say who fights whom.
//
// New reads and encodes the tasks, Trainer.Run trains, writes checkpoints and a
// report, and, called again, goes on from the last checkpoint to the same bits.
//
// Before that comes Pretrain, by which a model learns language from plain text, and after it
// Finetune, on single tasks, over several seeds. A run leaves its model and the heads of its
// tasks; Load takes them up, to evaluate, to predict, to export them to Hugging Face's
// programs, and for others to go on with (Trainer.KeepHeads).
package prefinetune
