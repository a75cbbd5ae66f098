//! Token ids in a column: unsigned LEB128 numbers, one after the other. An id below 16,384 takes
//! two bytes.

/// Bytes of the numbers.
pub fn encode(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * numbers.len());
    for &number in numbers {
        let mut left = number;
        while left >= 0x80 {
            bytes.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
    }
    bytes
}

/// The numbers of [`encode`]'s bytes; `None` where the bytes are not such.
pub fn decode(bytes: &[u8]) -> Option<Vec<u32>> {
    let mut numbers = Vec::with_capacity(bytes.len() / 2);
    let (mut number, mut shift) = (0u64, 0);
    for &byte in bytes {
        if shift > 28 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            numbers.push(u32::try_from(number).ok()?);
            (number, shift) = (0, 0);
        }
    }
    (shift == 0).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers: Vec<u32>) {
            prop_assert_eq!(decode(&encode(&numbers)), Some(numbers));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Some(numbers) = decode(&bytes) {
                prop_assert!(numbers.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn what_is_cut_or_too_large_is_refused() {
        assert_eq!(decode(&[0x80]), None);
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff, 0x7f]), None);
        assert_eq!(decode(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), None);
    }
}
