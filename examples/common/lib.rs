//! Code that the examples share: command line arguments, the digits, progress bars, tables and reports.
#![allow(missing_docs, reason = "names and types say it")]

pub mod arguments;
pub mod attention;
pub mod device;
pub mod digits;
pub mod progress;
pub mod report;
pub mod table;
