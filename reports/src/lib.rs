//! Renders uncork's findings for people and machines.
