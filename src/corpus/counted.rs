//! Which tokens of a window losses count. All of a text do; of a pair the response does, and neither the prompt nor what fills a window up.
//! In a window the tokens that are read alone carry a mark; as targets they are one value that is no token.

/// The target of a position that no loss counts.
pub const NOT_COUNTED: u32 = u32::MAX;
/// The mark, above every token: vocabularies end at 2²⁰.
const READ_ALONE: u32 = 1 << 31;

/// A token that is read, and never predicted.
pub(super) fn read_alone(id: u32) -> u32 {
    id | READ_ALONE
}

/// Whether a token of a window is predicted.
pub(super) fn is_predicted(token: u32) -> bool {
    token & READ_ALONE == 0
}

/// A window of context + 1 tokens as context inputs and as many targets.
pub fn split_window(window: &[u32], inputs: &mut [u32], targets: &mut [u32]) {
    let context = inputs.len();
    inputs.iter_mut().zip(&window[..context]).for_each(|(input, token)| *input = token & !READ_ALONE);
    targets.iter_mut().zip(&window[1..]).for_each(|(target, token)| *target = if is_predicted(*token) { *token } else { NOT_COUNTED });
}

/// How many targets count.
pub fn counted(targets: &[u32]) -> usize {
    targets.iter().filter(|target| **target != NOT_COUNTED).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_are_read_alone_are_inputs_and_no_targets() {
        let window = [7, read_alone(8), 9, read_alone(0)];
        let (mut inputs, mut targets) = ([0; 3], [0; 3]);
        split_window(&window, &mut inputs, &mut targets);
        assert_eq!((inputs, targets), ([7, 8, 9], [NOT_COUNTED, 9, NOT_COUNTED]));
        assert_eq!(counted(&targets), 1);
    }
}
