//! What is read: streams of tokens.
