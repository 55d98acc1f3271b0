//! Texts in a third of their room: packed by the compiler, unpacked when one is wanted.
//!
//! A bit is guessed from what followed the bytes before it so far, and an arithmetic coder
//! writes down how far the guess was off (Witten, Neal, Cleary 1987; the way of guessing is
//! that of the PAQ packers). Both sides guess by the same rules from the same beginning, so
//! nothing but the coder's bits needs storing. The program's texts, 6 KB, become 2.1 KB, for
//! which LZMA would need as much and ten times the code.

use crate::sys::{Buffer, Vec};

/// How many of the bytes before are looked at, at most: 0 to 4 of them, five contexts.
const CONTEXTS: usize = 5;
/// Counters of zeros and ones, two for every context, spread by a hash. Fewer make collisions:
/// half of them cost 60 bytes.
const COUNTERS: usize = 2 << 20;
/// Spreads contexts (Knuth, TAOCP 6.4).
const HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// What followed which bytes how often.
struct Model<'a> {
    counters: &'a mut [u8; COUNTERS],
    /// The last four bytes.
    before: u32,
    /// The bits of the present byte so far, behind a leading 1.
    bits: u32,
    /// Where in `counters` the present contexts are.
    contexts: [usize; CONTEXTS],
}

/// The interval that the coder is in.
struct Interval {
    low: u32,
    high: u32,
}

impl<'a> Model<'a> {
    const fn new(counters: &'a mut [u8; COUNTERS]) -> Self {
        Self {
            counters,
            before: 0,
            bits: 1,
            contexts: [0; CONTEXTS],
        }
    }

    /// How likely the next bit is a one, of 65,536.
    const fn guess(&mut self) -> u32 {
        let (mut key, mut before) = (self.bits as u64, self.before as u64);
        let (mut ones, mut all, mut weight, mut order) = (1, 2, 1, 0);
        while order < CONTEXTS {
            let at = (key.wrapping_mul(HASH) >> 43) as usize & !1;
            self.contexts[order] = at;
            let one = self.counters[(at + 1) % COUNTERS] as u32;
            ones += one * weight;
            all += (self.counters[at % COUNTERS] as u32 + one) * weight;
            // The longer the context, the more it knows.
            weight *= 3;
            key = key << 8 | before & 0xff;
            before >>= 8;
            order += 1;
        }
        // Odd, so that the compiler sees that it is not 0.
        (ones << 16) / (all | 1)
    }

    /// Takes the bit that it was.
    const fn learn(&mut self, bit: u32) {
        let mut order = 0;
        while order < CONTEXTS {
            let at = self.contexts[order] + bit as usize;
            let (seen, unseen) = (at % COUNTERS, (at ^ 1) % COUNTERS);
            self.counters[seen] = self.counters[seen].saturating_add(1);
            // What was once the rule is soon forgotten.
            if self.counters[unseen] > 2 {
                self.counters[unseen] = self.counters[unseen] / 2 + 1;
            }
            order += 1;
        }
        self.bits = self.bits << 1 | bit;
        if self.bits > 0xff {
            self.before = self.before << 8 | self.bits & 0xff;
            self.bits = 1;
        }
    }
}

impl Interval {
    const ALL: Self = Self {
        low: 0,
        high: u32::MAX,
    };

    /// The last value that stands for a one, if that is `ones` of 65,536 likely.
    const fn border(&self, ones: u32) -> u32 {
        self.low + ((self.high - self.low) >> 16) * ones
    }

    /// Narrows the interval to the part of `bit`.
    const fn narrow(&mut self, border: u32, bit: u32) {
        if bit == 1 {
            self.high = border;
        } else {
            self.low = border + 1;
        }
    }

    /// Whether the first byte is settled, which is then shifted out.
    const fn shift(&mut self) -> bool {
        let settled = (self.low ^ self.high) >> 24 == 0;
        if settled {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
        }
        settled
    }
}

/// Texts as the compiler packed them; `N` bytes are enough for it to work in.
pub struct Packed<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Packed<N> {
    /// Packs texts that each end with a NUL.
    #[allow(clippy::large_stack_arrays)] // in the compiler
    pub const fn new(texts: &[&str]) -> Self {
        let mut counters = [0; COUNTERS];
        let mut model = Model::new(&mut counters);
        let mut interval = Interval::ALL;
        let mut packed = Self {
            bytes: [0; N],
            len: 0,
        };
        let mut text = 0;
        while text < texts.len() {
            let mut at = 0;
            while at < texts[text].len() * 8 {
                let bit = texts[text].as_bytes()[at / 8] as u32 >> (7 - at % 8) & 1;
                let border = interval.border(model.guess());
                interval.narrow(border, bit);
                model.learn(bit);
                let mut first = interval.low >> 24;
                while interval.shift() {
                    packed.push(first);
                    first = interval.low >> 24;
                }
                at += 1;
            }
            text += 1;
        }
        // Zeros follow when unpacking.
        packed.push(interval.high >> 24);
        packed
    }

    #[allow(clippy::cast_possible_truncation)] // the first byte of an interval's end
    const fn push(&mut self, byte: u32) {
        self.bytes[self.len] = byte as u8;
        self.len += 1;
    }

    pub const fn len(&self) -> usize {
        self.len
    }

    /// Without the room that was not needed.
    pub const fn trimmed<const LEN: usize>(&self) -> [u8; LEN] {
        *self.bytes.first_chunk().unwrap()
    }
}

/// Unpacks the first `count` texts of `packed`, which holds as many, to `out`, each with its
/// NUL. Returns whether it did: it takes 2 MB of memory for a while.
pub fn unpack(packed: &[u8], mut count: usize, out: &mut Vec<u8>) -> bool {
    let Ok(mut counters) = Buffer::new(COUNTERS) else {
        return false;
    };
    let Some(counters) = counters.first_chunk_mut() else {
        return false;
    };
    out.clear();
    let mut model = Model::new(counters);
    // Settled in all its bytes: the first ones are shifted in at once.
    let mut interval = Interval { low: 0, high: 0 };
    let (mut value, mut rest) = (0, packed.iter());
    loop {
        while interval.shift() {
            value = value << 8 | u32::from(rest.next().copied().unwrap_or_default());
        }
        let border = interval.border(model.guess());
        let bit = u32::from(value <= border);
        interval.narrow(border, bit);
        model.learn(bit);
        if model.bits == 1 {
            #[allow(clippy::cast_possible_truncation)] // the last one of four
            let byte = model.before as u8;
            out.push(byte);
            if byte == 0 {
                count -= 1;
                if count == 0 {
                    return true;
                }
            }
        }
    }
}
