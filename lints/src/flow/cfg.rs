//! The control flow graph of a unit: what happens, in which order, and what is dropped where.

use crate::hir::{ExprId, LocalId};
use crate::ty::Ty;

/// Index of a basic block. Block 0 is the entry.
pub type BlockIx = u32;
/// Index of a slot: a variable or temporary that can hold a guard. Slot 0 is the result.
pub type SlotIx = u32;
/// Index of a token: one acquisition, whose guard wanders from slot to slot.
pub type TokenIx = u32;

/// The slot of the value that the unit returns.
pub const RETURN: SlotIx = 0;

/// One unit's graph.
#[derive(Clone, Debug, Default)]
pub struct Cfg {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Where a guard can be.
    pub slots: Vec<Slot>,
    /// Where guards come from.
    pub tokens: Vec<Token>,
    /// Calls, awaits, macros in the order they were met.
    pub events: Vec<Event>,
    /// Reads and writes of local variables.
    pub accesses: Vec<Access>,
}

/// A basic block.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// What happens.
    pub actions: Vec<Action>,
    /// Where it goes on.
    pub succs: Vec<BlockIx>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A guard comes to life in a slot.
    Birth {
        /// Which.
        token: TokenIx,
        /// Where.
        slot: SlotIx,
    },
    /// What the first slot holds goes to the second.
    Move {
        /// Left empty.
        from: SlotIx,
        /// Gains.
        to: SlotIx,
    },
    /// What the first slot holds is in the second as well: an item of a guarding iterator, one binding of several.
    Copy {
        /// Unchanged.
        from: SlotIx,
        /// Gains what fits its type.
        to: SlotIx,
    },
    /// What the slot holds dies.
    Drop {
        /// Left empty.
        slot: SlotIx,
    },
    /// Index into [`Cfg::events`].
    Event(u32),
    /// Index into [`Cfg::accesses`].
    Access(u32),
}

/// A variable or temporary that can hold a guard.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The variable, `None` for a temporary.
    pub local: Option<LocalId>,
    /// Its type.
    pub ty: Ty,
}

/// Where a guard comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A call of an outside function that acquires its receiver.
    Acquire(ExprId),
    /// A call of a function of the workspace that returns a guard.
    Call(ExprId),
    /// The caller's: it came in by a parameter or capture.
    Param(LocalId),
}

/// A guard's identity.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// Where it comes from.
    pub origin: Origin,
    /// The type of the value that holds it first.
    pub ty: Ty,
}

/// The kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A call or method call.
    Call,
    /// `.await`, `select!`, `join!`.
    Await,
    /// A macro with an effect of its own.
    Macro,
    /// A turn of a `for` loop asks its iterator for the next item.
    Next,
}

/// Something whose effects count against the guards held.
#[derive(Clone, Debug)]
pub struct Event {
    /// The call, await, macro or loop.
    pub expr: ExprId,
    /// Which.
    pub kind: EventKind,
    /// Slots that go into the call by value: argument index (receiver first) and slot.
    pub moved: Vec<(u8, SlotIx)>,
    /// A slot whose guard is lent back for the time of the call (`unlocked`).
    pub suspended: Option<SlotIx>,
}

/// How a local variable is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// Read or copied.
    Read,
    /// `&x`, a method by `&self`.
    Borrow,
    /// `&mut x`, a method by `&mut self`.
    BorrowMut,
    /// Moved out.
    Move,
    /// Assigned as a whole (or bound).
    Write,
    /// A part of it is assigned.
    WritePart,
    /// Captured by a closure or async block.
    Capture,
}

/// A touch of a local variable.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The variable.
    pub local: LocalId,
    /// How.
    pub kind: AccessKind,
    /// The place expression as a whole: `x`, `x.f`; for a binding its initialiser or scrutinee if there is one.
    pub expr: Option<ExprId>,
}
