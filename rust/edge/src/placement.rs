//! On which processors each thread runs, so that it finds its memory near it. No system call.

/// The processors of each of so many threads; none where the system puts them.
///
/// Threads take turns with the `nodes` of memory, where there is more than one, and stay on their processors, or with `pin`
/// each on one of them. What is not `allowed` is left out.
pub(crate) fn places(threads: usize, pin: bool, allowed: &[usize], nodes: &[Vec<usize>]) -> Vec<Option<Vec<usize>>> {
    let usable = |node: &Vec<usize>| -> Vec<usize> {
        let found = node.iter().filter(|processor| allowed.contains(processor));
        found.copied().collect()
    };
    let mut nodes: Vec<Vec<usize>> = nodes.iter().map(usable).filter(|node| !node.is_empty()).collect();
    if nodes.len() < 2 {
        if !pin || allowed.is_empty() {
            return vec![None; threads];
        }
        nodes = vec![allowed.to_vec()];
    }
    let place = |number: usize| {
        let node = nodes.get(number % nodes.len())?;
        let turn = number / nodes.len();
        if pin {
            Some(vec![*node.get(turn % node.len())?])
        } else {
            Some(node.clone())
        }
    };
    (0..threads).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_take_turns_with_nodes() {
        let nodes = [vec![0, 1, 4, 5], vec![2, 3, 6, 7], vec![]];
        let all: Vec<usize> = (0..8).collect();
        let near = |number: usize| Some(nodes[number].clone());
        assert_eq!(places(3, false, &all, &nodes), [near(0), near(1), near(0)]);
        let one = |processor: usize| Some(vec![processor]);
        assert_eq!(places(5, true, &all, &nodes), [one(0), one(2), one(1), one(3), one(4)]);
        // What this process may not use is nobody's.
        assert_eq!(places(2, false, &[1, 6], &nodes), [one(1), one(6)]);
    }

    #[test]
    fn with_one_node_the_system_decides_unless_it_is_told_not_to() {
        for nodes in [&[][..], &[vec![0, 1]], &[vec![0, 1], vec![9]]] {
            assert_eq!(places(2, false, &[0, 1], nodes), [None, None]);
            assert_eq!(
                places(3, true, &[0, 1], nodes),
                [Some(vec![0]), Some(vec![1]), Some(vec![0])]
            );
        }
        assert_eq!(places(1, true, &[], &[]), [None]);
    }
}
