//! Many records of CSV at once: for 64 bytes a bit each for quotes, separators and record ends.
//!
//! A bit that is set from each odd quote to the next one marks what is inside quotes (a prefix sum modulo
//! two), so that nothing is done byte by byte. Whatever is not plain CSV is left to
//! [`record`](crate::record).
//!
//! What is to use the vectors of the machine must be inlined into the `dispatch!` that chooses them.

use std::ops::Range;

use fearless_simd::{Simd, SimdBase, SimdMask, u8x64};

use crate::record::MESSAGE;

/// Bytes of one block.
const BLOCK: usize = 64;

/// The most bytes that are looked at together: what belongs to them stays in the first cache.
pub(crate) const WINDOW: usize = 16 * 1024;

/// What the bits of a block's bytes tell; the lowest bit is the first byte.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    quote: u64,
    comma: u64,
    /// Commas outside of quotes.
    separator: u64,
    /// Line ends outside of quotes.
    end: u64,
}

/// What a block needs to know of the bytes before it.
#[derive(Debug)]
struct Carry {
    /// All bits are set inside of quotes.
    open: u64,
    /// The lowest bit is set where a quote may open a field, or is the second of two.
    may_open: u64,
    /// The lowest bit is set behind a quote that closed.
    closed: u64,
}

impl Carry {
    /// Looks at a block; gives besides it the line ends inside of quotes, and where it is no CSV.
    #[inline(always)]
    fn block<S: Simd>(&mut self, simd: S, chunk: &[u8; BLOCK], least: &mut u8x64<S>) -> (Block, u64, u64) {
        let bytes = u8x64::from_slice(simd, chunk);
        let mask = |byte: u8| bytes.simd_eq(byte).to_bitmask();
        let (quote, comma, line) = (mask(b'"'), mask(b','), mask(b'\n'));
        *least = least.min(bytes);
        let inside = prefix_xor(quote) ^ self.open;
        self.open = 0_u64.wrapping_sub(inside >> 63);
        let separator = comma & !inside;
        let end = line & !inside;
        let opening = quote & inside;
        let closing = quote & !inside;
        let delimiter = separator | end;
        // A quote opens a field, or is the second of two inside one.
        let before = (delimiter | closing) << 1 | self.may_open;
        let behind = closing << 1 | self.closed;
        self.may_open = (delimiter | closing) >> 63;
        self.closed = closing >> 63;
        let broken = (opening & !before) | (behind & !(delimiter | opening));
        (Block { quote, comma, separator, end }, line & inside, broken)
    }
}

/// The masks of a window of bytes that starts where a record does.
#[derive(Debug)]
pub(crate) struct Masks {
    blocks: Vec<Block>,
    /// So many blocks are of the window.
    filled: usize,
    /// Line ends inside of quotes: they are few.
    inner: Vec<usize>,
    /// Up to here the bytes are CSV.
    sound: usize,
}

impl Masks {
    pub(crate) fn new() -> Self {
        Self { blocks: vec![Block::default(); WINDOW / BLOCK], filled: 0, inner: Vec::new(), sound: 0 }
    }

    /// Looks at a window of at most [`WINDOW`] bytes.
    #[inline(always)]
    pub(crate) fn fill<S: Simd>(&mut self, simd: S, window: &[u8]) {
        self.inner.clear();
        self.sound = window.len();
        self.filled = window.len().div_ceil(BLOCK);
        let mut carry = Carry { open: 0, may_open: 1, closed: 0 };
        let mut least = u8x64::splat(simd, u8::MAX);
        self.fill_blocks(simd, window, &mut carry, &mut least);
        // Hardly ever is there a zero.
        if least.simd_eq(0).any_true()
            && let Some(zero) = memchr::memchr(0, window)
        {
            self.sound = self.sound.min(zero);
        }
    }

    #[inline(always)]
    fn fill_blocks<S: Simd>(&mut self, simd: S, window: &[u8], carry: &mut Carry, least: &mut u8x64<S>) {
        let (chunks, rest) = window.as_chunks::<BLOCK>();
        for (index, chunk) in chunks.iter().enumerate() {
            if !self.set(index, carry.block(simd, chunk, least)) {
                return;
            }
        }
        if !rest.is_empty() {
            let mut padded = [b' '; BLOCK];
            padded[..rest.len()].copy_from_slice(rest);
            let (block, inner, broken) = carry.block(simd, &padded, least);
            self.set(chunks.len(), (block, inner, broken & ((1 << rest.len()) - 1)));
        }
    }

    /// Accepts what is known of a block; `false` if it is not CSV.
    #[inline(always)]
    fn set(&mut self, index: usize, (block, inner, broken): (Block, u64, u64)) -> bool {
        self.blocks[index] = block;
        if (inner | broken) != 0 {
            self.inner.extend(bits(inner).map(|bit| index * BLOCK + bit));
            if broken != 0 {
                self.sound = self.sound.min(index * BLOCK + broken.trailing_zeros() as usize);
                self.filled = index + 1;
                return false;
            }
        }
        true
    }

    /// Calls for each whole record of so many columns, in order, until one is refused: its bytes, where its message is, and
    /// the number of line ends inside it. Gives where the first record that was not taken starts.
    #[inline(always)]
    pub(crate) fn records(
        &self,
        columns: usize,
        mut take: impl FnMut(Range<usize>, Range<usize>, u64) -> bool,
    ) -> usize {
        let mut start = 0;
        let mut inner = self.inner.iter().peekable();
        for (index, block) in self.blocks[..self.filled].iter().enumerate() {
            for bit in bits(block.end) {
                let end = index * BLOCK + bit;
                if end >= self.sound {
                    return start;
                }
                let mut lines = 0;
                while inner.next_if(|&&line| line < end).is_some() {
                    lines += 1;
                }
                let Some((message, found)) = self.message(start, end) else { return start };
                if found != columns || !take(start..end + 1, message, lines) {
                    return start;
                }
                start = end + 1;
            }
        }
        start
    }

    /// Finds the message's field of a record, with its quotes, and counts the columns; `None` where there are too few.
    #[inline(always)]
    fn message(&self, start: usize, end: usize) -> Option<(Range<usize>, usize)> {
        let mut index = start / BLOCK;
        let mut separators = self.blocks.get(index)?.separator & (u64::MAX << (start % BLOCK));
        let mut left = MESSAGE;
        loop {
            let count = separators.count_ones() as usize;
            if count >= left {
                break;
            }
            left -= count;
            index += 1;
            separators = self.blocks.get(index)?.separator;
        }
        for _ in 1..left {
            separators &= separators - 1;
        }
        let mut next = || {
            while separators == 0 {
                index += 1;
                separators = self.blocks.get(index)?.separator;
            }
            let bit = separators.trailing_zeros() as usize;
            separators &= separators - 1;
            Some(index * BLOCK + bit)
        };
        let first = next().filter(|&at| at < end)? + 1;
        let Some(behind) = next().filter(|&at| at < end) else { return Some((first..end, MESSAGE + 1)) };
        let mut columns = MESSAGE + 2;
        while index < end / BLOCK {
            columns += separators.count_ones() as usize;
            index += 1;
            separators = self.blocks.get(index)?.separator;
        }
        columns += (separators & ((1 << (end % BLOCK)) - 1)).count_ones() as usize;
        Some((first..behind, columns))
    }

    /// Returns whether the fields of a message pair their quotes and are 9 or 10, and where the last one starts.
    ///
    /// `message` is the inside of the field's quotes, so that each quote stands there twice.
    #[inline(always)]
    pub(crate) fn fields(&self, message: Range<usize>) -> Option<(usize, usize)> {
        let (mut count, mut last) = (1, message.start);
        let (mut odd, mut open) = (0_u64, 0_u64);
        let (mut may_open, mut closed) = (0_u64, 0_u64);
        for index in message.start / BLOCK..=message.end / BLOCK {
            let block = self.blocks.get(index)?;
            let mut wanted = u64::MAX;
            if index == message.start / BLOCK {
                wanted &= u64::MAX << (message.start % BLOCK);
            }
            // The closing quote of the field itself stands at the end.
            let mut end = 0;
            if index == message.end / BLOCK {
                end = 1 << (message.end % BLOCK);
                wanted &= end - 1;
            }
            let quote = block.quote & wanted;
            let separator = if quote == 0 && odd == 0 {
                // Most blocks are of the statement, or hold no quote.
                let separator = block.comma & wanted & !open;
                if (closed & !separator & !end) != 0 {
                    return None;
                }
                may_open = separator >> 63;
                closed = 0;
                separator
            } else {
                let sum = prefix_xor(quote) ^ odd;
                odd = 0_u64.wrapping_sub(sum >> 63);
                let first = quote & sum;
                let second = quote & !sum;
                let inside = prefix_xor(first) ^ open;
                open = 0_u64.wrapping_sub(inside >> 63);
                let separator = block.comma & wanted & !inside;
                let before = (separator | second) << 1 | may_open;
                let behind = (first & !inside) << 2 | closed;
                may_open = (separator | second) >> 63;
                closed = (first & !inside) >> 62;
                if (first & inside & !before) | (behind & !(separator | first | end)) != 0 {
                    return None;
                }
                separator
            };
            if separator != 0 {
                count += separator.count_ones() as usize;
                last = index * BLOCK + 64 - separator.leading_zeros() as usize;
            }
        }
        // Open at the end, or half a quote.
        if open != 0 || odd != 0 {
            return None;
        }
        Some((count, last))
    }
}

/// Sets each bit to the sum, modulo two, of those up to it.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Returns the places of the bits that are set.
#[inline(always)]
fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if mask == 0 {
            return None;
        }
        let bit = mask.trailing_zeros() as usize;
        mask &= mask - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;

    use super::*;

    /// All that this machine has.
    fn levels() -> Vec<Level> {
        let best = Level::new();
        #[cfg(target_arch = "x86_64")]
        let others = [
            best.as_sse2().map(Simd::level),
            best.as_sse4_2().map(Simd::level),
            best.as_avx2().map(Simd::level),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let others = [None; 0];
        others.into_iter().flatten().chain([best]).collect()
    }

    /// What the masks of a window say, as places.
    #[derive(Debug, Default, PartialEq)]
    struct Said {
        quotes: Vec<usize>,
        commas: Vec<usize>,
        separators: Vec<usize>,
        ends: Vec<usize>,
        inner: Vec<usize>,
        sound: usize,
    }

    /// Looks at one byte after the other, up to the end of the block in which it is no CSV any more.
    fn byte_by_byte(window: &[u8]) -> Said {
        let mut said = Said { sound: window.len(), ..Said::default() };
        let (mut open, mut before) = (false, None);
        for (at, &byte) in window.iter().enumerate() {
            if said.sound < window.len() && at % BLOCK == 0 {
                break;
            }
            let closed = before == Some(b'"') && !open;
            let broken = match byte {
                b'"' => !open && !matches!(before, None | Some(b',' | b'\n' | b'"')),
                b',' | b'\n' => false,
                _ => closed,
            };
            match byte {
                b'"' => {
                    said.quotes.push(at);
                    open = !open;
                }
                b',' => {
                    said.commas.push(at);
                    if !open {
                        said.separators.push(at);
                    }
                }
                b'\n' if open => said.inner.push(at),
                b'\n' => said.ends.push(at),
                _ => {}
            }
            if broken {
                said.sound = said.sound.min(at);
            }
            before = Some(byte);
        }
        let zero = window.iter().position(|byte| *byte == 0);
        said.sound = said.sound.min(zero.unwrap_or(window.len()));
        said
    }

    fn masks(level: Level, window: &[u8]) -> Said {
        let mut masks = Masks::new();
        dispatch!(level, simd => masks.fill(simd, window));
        let places = |of: fn(&Block) -> u64| -> Vec<usize> {
            let blocks = masks.blocks[..masks.filled].iter().enumerate();
            blocks.flat_map(|(index, block)| bits(of(block)).map(move |bit| index * BLOCK + bit)).collect()
        };
        Said {
            quotes: places(|block| block.quote),
            commas: places(|block| block.comma),
            separators: places(|block| block.separator),
            ends: places(|block| block.end),
            inner: masks.inner.clone(),
            sound: masks.sound,
        }
    }

    proptest! {
        #[test]
        fn the_masks_say_what_one_byte_after_the_other_says(
            pieces in prop::collection::vec("\"[a,\n]{0,40}\"|\"\"|[a-c]{0,70}|,|\n|\"|\0|,\"|\",", 0..200),
        ) {
            let window = pieces.concat();
            let window = &window.as_bytes()[..window.len().min(WINDOW)];
            for level in levels() {
                prop_assert_eq!(masks(level, window), byte_by_byte(window), "{:?}", level);
            }
        }
    }
}
