//! Stage 1 and 7: keeps environments, signs what each should run, and shows what they report.

pub mod store;
