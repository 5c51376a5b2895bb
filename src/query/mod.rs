//! The query language: text -> [`ast::Ast`] -> an engine.

pub mod ast;
