//! An embedded, ordered, transactional key-value database.
