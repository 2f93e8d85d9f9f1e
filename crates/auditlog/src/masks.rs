//! Many records of CSV at once: for 64 bytes a bit each for quotes, separators and record ends.
//!
//! A bit that is set from each odd quote to the next one marks what is inside quotes (a prefix sum modulo
//! two), so that nothing is done byte by byte. Whatever is not plain CSV is left to
//! [`record`](crate::record).

use std::ops::Range;

use wide::u8x16;

use crate::record::MESSAGE;

/// Bytes of one block.
const BLOCK: usize = 64;

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

/// The masks of a window of bytes that starts where a record does.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    blocks: Vec<Block>,
    /// Line ends inside of quotes: they are few.
    inner: Vec<usize>,
    /// Up to here the bytes are CSV.
    sound: usize,
}

impl Masks {
    /// Looks at a window.
    pub(crate) fn fill(&mut self, window: &[u8]) {
        self.blocks.clear();
        self.inner.clear();
        self.sound = window.len();
        let (mut open, mut may_open, mut closed) = (0_u64, 1_u64, 0_u64);
        let (chunks, rest) = window.as_chunks::<BLOCK>();
        let mut padded = [0; BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        let last = (!rest.is_empty()).then_some(&padded);
        for (index, chunk) in chunks.iter().chain(last).enumerate() {
            let (quote, comma, line) = classify(chunk);
            let inside = prefix_xor(quote) ^ open;
            open = 0_u64.wrapping_sub(inside >> 63);
            let separator = comma & !inside;
            let end = line & !inside;
            let opening = quote & inside;
            let closing = quote & !inside;
            let delimiter = separator | end;
            // A quote opens a field, or is the second of two inside one.
            let before = (delimiter | closing) << 1 | may_open;
            let behind = closing << 1 | closed;
            may_open = (delimiter | closing) >> 63;
            closed = closing >> 63;
            let broken = (opening & !before) | (behind & !(delimiter | opening));
            let inner = line & inside;
            if inner != 0 {
                self.inner.extend(bits(inner).map(|bit| index * BLOCK + bit));
            }
            self.blocks.push(Block { quote, comma, separator, end });
            if broken != 0 {
                self.sound = self.sound.min(index * BLOCK + broken.trailing_zeros() as usize);
                break;
            }
        }
    }

    /// Calls for each whole record, in order, until one is refused: its bytes, where its message is, and the
    /// number of line ends inside it. Gives where the first record that was not taken starts.
    #[inline]
    pub(crate) fn records(
        &self,
        mut take: impl FnMut(Range<usize>, Option<Range<usize>>, u64) -> bool,
    ) -> usize {
        let mut start = 0;
        let mut inner = self.inner.iter().peekable();
        for (index, block) in self.blocks.iter().enumerate() {
            for bit in bits(block.end) {
                let end = index * BLOCK + bit;
                if end >= self.sound {
                    return start;
                }
                let mut lines = 0;
                while inner.next_if(|&&line| line < end).is_some() {
                    lines += 1;
                }
                let Some(message) = self.message(start, end) else { return start };
                if !take(start..end + 1, Some(message), lines) {
                    return start;
                }
                start = end + 1;
            }
        }
        start
    }

    /// Finds the message's field of a record, with its quotes; `None` where there are too few columns.
    #[inline]
    fn message(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let mut index = start / BLOCK;
        let mut separators = self.blocks.get(index)?.separator & (u64::MAX << (start % BLOCK));
        let mut left = MESSAGE;
        let mut next = || {
            while separators == 0 {
                index += 1;
                separators = self.blocks.get(index)?.separator;
            }
            let bit = separators.trailing_zeros() as usize;
            separators &= separators - 1;
            Some(index * BLOCK + bit)
        };
        while left > 1 {
            next()?;
            left -= 1;
        }
        let first = next().filter(|&at| at < end)? + 1;
        Some(first..next().filter(|&at| at < end).unwrap_or(end))
    }

    /// Tells whether the fields of a message pair their quotes and are 9 or 10, and where the last one starts.
    ///
    /// `message` is the inside of the field's quotes, so that each quote stands there twice.
    #[inline]
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

#[inline]
fn classify(chunk: &[u8; BLOCK]) -> (u64, u64, u64) {
    let (mut quote, mut comma, mut line) = (0, 0, 0);
    let (parts, _) = chunk.as_chunks::<16>();
    for (index, part) in parts.iter().enumerate() {
        let part = u8x16::new(*part);
        let mask = |byte| u64::from(part.simd_eq(u8x16::splat(byte)).to_bitmask()) << (16 * index);
        quote |= mask(b'"');
        comma |= mask(b',');
        line |= mask(b'\n');
    }
    (quote, comma, line)
}

/// Sets each bit to the sum, modulo two, of those up to it.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Gives the places of the bits that are set.
#[inline]
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
