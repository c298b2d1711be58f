//! Leader and followers.
//!
//! Whoever submits a job while nobody leads becomes the leader: it takes all waiting jobs as one group and does them, with
//! no lock held, while others queue up behind. When it is done it hands the lead to the first of those and only then wakes
//! its own group. What the leader needs (the log's writer, the commit window) is a value that moves from hand to hand,
//! so that having it *is* being the leader.
//!
//! A job is done exactly once, in the order of submission. If a leader panics, the lead is lost for good: everybody waiting,
//! and everybody after, is told so.

use std::collections::VecDeque;

use crate::sync::{Arc, AtomicU8, Mutex, Ordering, SPINS, Thread, current, park, spin_loop};

/// What a leader does.
pub(crate) trait Lead: Send {
    /// What is submitted.
    type Job: Send;
    /// What comes of it.
    type Outcome: Send;

    /// What a job counts towards the limit of a group.
    fn weigh(job: &Self::Job) -> usize;
    /// Does a group; one outcome for each job, in order.
    fn lead(&mut self, jobs: Vec<Self::Job>) -> Vec<Self::Outcome>;
}

/// Where jobs wait, and the lead between leaders.
pub(crate) struct Queue<L: Lead> {
    state: Mutex<State<L>>,
    /// A group takes no further job beyond this weight.
    limit: usize,
    /// A group takes no more jobs than this.
    most: usize,
}

struct State<L: Lead> {
    waiting: VecDeque<Arc<Ticket<L>>>,
    /// The lead, while nobody has it.
    idle: Option<Box<L>>,
    lost: bool,
}

struct Ticket<L: Lead> {
    state: AtomicU8,
    slot: Mutex<Slot<L>>,
    thread: Thread,
}

enum Slot<L: Lead> {
    Job(L::Job),
    /// The job is still to be done, and by its own thread.
    Lead(L::Job, Box<L>),
    Done(L::Outcome),
    Empty,
}

const WAITING: u8 = 0;
const READY: u8 = 1;

/// The lead was lost in a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

impl<L: Lead> Queue<L> {
    pub(crate) fn new(leader: L, limit: usize, most: usize) -> Self {
        let state = State { waiting: VecDeque::new(), idle: Some(Box::new(leader)), lost: false };
        Self { state: Mutex::new(state), limit, most }
    }

    /// Has a job done, by this thread or another, and returns what came of it.
    pub(crate) fn submit(&self, job: L::Job) -> Result<L::Outcome, Lost> {
        let ticket = {
            let mut state = self.state.lock();
            if state.lost {
                return Err(Lost);
            }
            match state.idle.take() {
                // Nobody leads, so nobody waits.
                Some(leader) => {
                    drop(state);
                    return self.lead(leader, job);
                }
                None => {
                    let ticket = Arc::new(Ticket {
                        state: AtomicU8::new(WAITING),
                        slot: Mutex::new(Slot::Job(job)),
                        thread: current(),
                    });
                    state.waiting.push_back(Arc::clone(&ticket));
                    ticket
                }
            }
        };
        ticket.wait();
        let slot = ticket.take();
        match slot {
            Slot::Done(outcome) => Ok(outcome),
            Slot::Lead(job, leader) => self.lead(leader, job),
            Slot::Job(_) | Slot::Empty => Err(Lost),
        }
    }

    fn lead(&self, mut leader: Box<L>, job: L::Job) -> Result<L::Outcome, Lost> {
        let (mut jobs, mut group) = (Vec::with_capacity(8), Vec::with_capacity(8));
        let mut weight = L::weigh(&job);
        jobs.push(job);
        self.join(&mut weight, &mut jobs, &mut group);
        let expected = jobs.len();
        let mut watch = Watch { queue: self, group, armed: true };
        let mut outcomes = leader.lead(jobs).into_iter();
        if outcomes.len() != expected {
            return Err(Lost);
        }
        watch.armed = false;
        let group = std::mem::take(&mut watch.group);
        let own = outcomes.next().ok_or(Lost);
        self.hand_over(leader);
        for (ticket, outcome) in group.iter().zip(outcomes) {
            ticket.give(Slot::Done(outcome));
        }
        own
    }

    /// Takes waiting jobs into the group, as far as the limits allow.
    fn join(&self, weight: &mut usize, jobs: &mut Vec<L::Job>, group: &mut Vec<Arc<Ticket<L>>>) {
        let mut state = self.state.lock();
        while jobs.len() < self.most
            && *weight < self.limit
            && let Some(ticket) = state.waiting.pop_front()
        {
            if let Slot::Job(job) = ticket.take() {
                *weight += L::weigh(&job);
                jobs.push(job);
                group.push(ticket);
            }
        }
    }

    /// Gives the lead to the first who waits, or puts it down.
    fn hand_over(&self, leader: Box<L>) {
        let next = {
            let mut state = self.state.lock();
            let Some(next) = state.waiting.pop_front() else {
                state.idle = Some(leader);
                return;
            };
            next
        };
        if let Slot::Job(job) = next.take() {
            next.give(Slot::Lead(job, leader));
        }
    }

    fn lose(&self, group: &[Arc<Ticket<L>>]) {
        let waiting = {
            let mut state = self.state.lock();
            state.lost = true;
            std::mem::take(&mut state.waiting)
        };
        for ticket in group.iter().chain(&waiting) {
            ticket.give(Slot::Empty);
        }
    }

    /// Takes the lead out for good; everybody after is told it is lost. `None`: somebody leads just now.
    pub(crate) fn close(&self) -> Result<Option<Box<L>>, Lost> {
        let mut state = self.state.lock();
        if state.lost {
            return Err(Lost);
        }
        let leader = state.idle.take();
        state.lost = leader.is_some();
        Ok(leader)
    }
}

/// Tells everybody if the leader panics.
struct Watch<'a, L: Lead> {
    queue: &'a Queue<L>,
    group: Vec<Arc<Ticket<L>>>,
    armed: bool,
}

impl<L: Lead> Drop for Watch<'_, L> {
    fn drop(&mut self) {
        if self.armed {
            self.queue.lose(&self.group);
        }
    }
}

impl<L: Lead> Ticket<L> {
    fn take(&self) -> Slot<L> {
        std::mem::replace(&mut *self.slot.lock(), Slot::Empty)
    }

    fn give(&self, slot: Slot<L>) {
        *self.slot.lock() = slot;
        self.state.store(READY, Ordering::Release);
        self.thread.unpark();
    }

    fn wait(&self) {
        for _ in 0..SPINS {
            if self.state.load(Ordering::Acquire) == READY {
                return;
            }
            spin_loop();
        }
        while self.state.load(Ordering::Acquire) != READY {
            park();
        }
    }
}

impl<L: Lead> std::fmt::Debug for Queue<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers jobs in the order in which it does them; a job of 13 makes it panic.
    #[derive(Default)]
    struct Counter {
        done: Vec<u64>,
        groups: usize,
    }

    impl Lead for Counter {
        type Job = u64;
        type Outcome = (u64, usize);

        fn weigh(_: &u64) -> usize {
            1
        }

        fn lead(&mut self, jobs: Vec<u64>) -> Vec<(u64, usize)> {
            self.groups += 1;
            jobs.into_iter()
                .map(|job| {
                    assert_ne!(job, 13, "asked to");
                    self.done.push(job);
                    (job, self.done.len())
                })
                .collect()
        }
    }

    #[cfg(not(any(uncork_loom, uncork_shuttle)))]
    mod threads {
        use super::*;
        use std::collections::BTreeSet;

        #[test]
        fn every_job_is_done_once() {
            let queue = Queue::new(Counter::default(), 4, 100);
            let places = Mutex::new(BTreeSet::new());
            std::thread::scope(|scope| {
                for thread in 0..8 {
                    let (queue, places) = (&queue, &places);
                    scope.spawn(move || {
                        let mut before = 0;
                        for n in 0..500 {
                            let job = 1000 * (thread + 1) + n;
                            let (back, place) = queue.submit(job).unwrap();
                            assert_eq!(back, job);
                            assert!(place > before, "jobs of one thread are done in its order");
                            before = place;
                            assert!(places.lock().insert(place));
                        }
                    });
                }
            });
            let leader = queue.close().unwrap().unwrap();
            assert_eq!(leader.done.len(), 4000);
            assert_eq!(places.lock().len(), 4000);
            assert_eq!(queue.submit(1), Err(Lost));
        }

        #[test]
        fn a_panic_of_the_leader_is_told_to_all() {
            let queue = Queue::new(Counter::default(), 100, 100);
            queue.submit(1).unwrap();
            std::thread::scope(|scope| {
                let panicking = scope.spawn(|| queue.submit(13));
                assert!(panicking.join().is_err());
            });
            assert_eq!(queue.submit(2), Err(Lost));
        }
    }

    #[cfg(uncork_loom)]
    #[test]
    fn loom_hand_off() {
        loom::model(|| {
            let queue = Arc::new(Queue::new(Counter::default(), 2, 2));
            // Two threads hand the lead over in all ways; a third adds nothing but time.
            let others: Vec<_> = (1..2)
                .map(|job| {
                    let queue = Arc::clone(&queue);
                    loom::thread::spawn(move || assert_eq!(queue.submit(job).unwrap().0, job))
                })
                .collect();
            assert_eq!(queue.submit(3).unwrap().0, 3);
            assert_eq!(queue.submit(4).unwrap().0, 4);
            for other in others {
                other.join().unwrap();
            }
            assert_eq!(queue.close().unwrap().unwrap().done.len(), 3);
        });
    }

    #[cfg(uncork_shuttle)]
    #[test]
    fn shuttle_hand_off() {
        let rounds = std::env::var("SHUTTLE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2000);
        shuttle::check_random(
            || {
                let queue = Arc::new(Queue::new(Counter::default(), 3, 3));
                let threads: Vec<_> = (1..6)
                    .map(|thread| {
                        let queue = Arc::clone(&queue);
                        shuttle::thread::spawn(move || {
                            for n in 0..3 {
                                let job = thread * 100 + n;
                                assert_eq!(queue.submit(job).unwrap().0, job);
                            }
                        })
                    })
                    .collect();
                for thread in threads {
                    thread.join().unwrap();
                }
                assert_eq!(queue.close().unwrap().unwrap().done.len(), 15);
            },
            rounds,
        );
    }
}
