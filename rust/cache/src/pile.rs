//! Handles in no order, in blocks of one size: however many there are, little of the memory is empty, and none of it was
//! outgrown, as a vector's would be.

/// With the length and the next block, 128 bytes.
const HANDLES: usize = 29;

#[derive(Debug)]
struct Block {
    below: Option<Box<Self>>,
    len: u32,
    handles: [u32; HANDLES],
}

/// A stack of handles.
#[derive(Debug, Default)]
pub(crate) struct Pile {
    top: Option<Box<Block>>,
}

impl Pile {
    pub(crate) const fn is_empty(&self) -> bool {
        self.top.is_none()
    }

    pub(crate) fn push(&mut self, handle: u32) {
        if let Some(top) = &mut self.top
            && let Some(place) = top.handles.get_mut(top.len as usize)
        {
            *place = handle;
            top.len += 1;
            return;
        }
        let mut handles = [0; HANDLES];
        handles[0] = handle;
        self.top = Some(Box::new(Block {
            below: self.top.take(),
            len: 1,
            handles,
        }));
    }

    pub(crate) fn pop(&mut self) -> Option<u32> {
        let top = self.top.as_mut()?;
        top.len -= 1;
        let handle = top.handles.get(top.len as usize).copied();
        if top.len == 0 {
            self.top = top.below.take();
        }
        handle
    }
}

impl Drop for Pile {
    /// One after the other: the blocks' own would go as deep as the pile is high.
    fn drop(&mut self) {
        while let Some(mut top) = self.top.take() {
            self.top = top.below.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_stack(steps in proptest::collection::vec(proptest::option::weighted(0.6, any::<u32>()), 0..400)) {
            let (mut pile, mut model) = (Pile::default(), Vec::new());
            for step in steps {
                if let Some(handle) = step {
                    pile.push(handle);
                    model.push(handle);
                } else {
                    prop_assert_eq!(pile.pop(), model.pop());
                }
                prop_assert_eq!(pile.is_empty(), model.is_empty());
            }
        }
    }

    #[test]
    fn a_high_one_is_dropped() {
        let mut pile = Pile::default();
        (0..5_000_000).for_each(|handle| pile.push(handle));
    }
}
