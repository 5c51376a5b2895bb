//! A set of the documents of one segment, one bit for each.

/// Documents are numbered from 0 without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    blocks: Vec<u64>,
}

const BITS: u32 = u64::BITS;

impl Set {
    /// All of `size` documents.
    pub(super) fn full(size: u32) -> Self {
        let mut all = Self { blocks: vec![u64::MAX; size.div_ceil(BITS) as usize] };
        if let Some(last) = all.blocks.last_mut().filter(|_| !size.is_multiple_of(BITS)) {
            *last = (1 << (size % BITS)) - 1;
        }
        all
    }

    /// None of as many.
    pub(super) fn empty_like(&self) -> Self {
        Self { blocks: vec![0; self.blocks.len()] }
    }

    /// A document beyond the size is never in the set and not put into it.
    pub(super) fn insert(&mut self, document: u32) {
        if let Some(block) = self.blocks.get_mut((document / BITS) as usize) {
            *block |= 1 << (document % BITS);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.iter().all(|block| *block == 0)
    }

    pub(super) fn len(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.count_ones())).sum()
    }

    pub(super) fn clear(&mut self) {
        self.blocks.fill(0);
    }

    pub(super) fn unite(&mut self, other: &Self) {
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(own, other)| *own |= other);
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(own, other)| *own &= other);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(own, other)| *own &= !other);
    }

    /// In rising order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.blocks.iter().zip(0_u32..).flat_map(|(&block, at)| {
            let rest = std::iter::successors(Some(block), |rest| Some(rest & rest.wrapping_sub(1)));
            rest.take_while(|rest| *rest != 0).map(move |rest| at * BITS + rest.trailing_zeros())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_set_ends_where_the_documents_do() {
        for size in [0, 1, 63, 64, 65, 1_000] {
            let full = Set::full(size);
            assert_eq!(full.len(), u64::from(size));
            assert!(full.iter().eq(0..size));
            assert_eq!(full.is_empty(), size == 0);
        }
    }

    #[test]
    fn sets_are_combined_document_by_document() {
        let of = |documents: &[u32]| {
            let mut set = Set::full(200).empty_like();
            documents.iter().for_each(|&document| set.insert(document));
            set
        };
        let (mut united, mut common, mut rest) = (of(&[1, 64, 199]), of(&[1, 64, 199]), of(&[1, 64, 199]));
        let other = of(&[0, 64, 128]);
        united.unite(&other);
        common.intersect(&other);
        rest.subtract(&other);
        assert!(united.iter().eq([0, 1, 64, 128, 199]));
        assert!(common.iter().eq([64]));
        assert!(rest.iter().eq([1, 199]));
    }
}
