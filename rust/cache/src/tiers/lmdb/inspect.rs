//! Looks through a data file of LMDB before it is mapped.
//!
//! LMDB trusts its pages: a page number that points past the end of the file is a SIGBUS or worse. So the trees are
//! walked by plain reads first: every page must be where and what its parent says, and every offset inside its page.
//! The format is that of LMDB 0.9 on a machine of this byte order with 64-bit page numbers (`mdb.c`, `MDB_page`,
//! `MDB_node`, `MDB_meta`).

use std::fs::File;
use std::os::unix::fs::FileExt;

const MAGIC: u32 = 0xBEEF_C0DE;
const DATA_VERSION: u32 = 1;
const PAGE_HEADER: usize = 16;
const NODE_HEADER: usize = 8;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const OVERFLOW: u16 = 4;
const META: u16 = 8;
const BIG_DATA: u16 = 1;
const SUB_DATA: u16 = 2;
/// The flags of a page that say what it is.
const KINDS: u16 = 0x0f;
const NO_PAGE: u64 = u64::MAX;
/// The size of `MDB_db`: what is known of one tree.
const DB: usize = 48;
/// LMDB's cursors are no deeper.
const DEEPEST: u16 = 32;

/// Checks a file; `budget` is how many pages are read at most. An error says what is wrong.
pub(super) fn inspect(file: &File, budget: u64) -> Result<(), String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    if length == 0 {
        return Ok(());
    }
    let mut first = [0; 152];
    read(file, &mut first, 0)?;
    let page_size = usize::try_from(number32(&first, PAGE_HEADER + 24)?).unwrap_or(0);
    if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
        return Err(format!("its first page says pages have {page_size} bytes"));
    }
    let mut second = [0; 152];
    read(file, &mut second, page_size as u64)?;
    let metas = [meta(&first, page_size)?, meta(&second, page_size)?];
    let newest = if metas[0].transaction < metas[1].transaction {
        &metas[1]
    } else {
        &metas[0]
    };
    let mut walk = Walk {
        file,
        page_size,
        pages: (length / page_size as u64).min(newest.last_page.saturating_add(1)),
        budget,
    };
    for tree in newest.trees {
        walk.tree(tree, true)?;
    }
    Ok(())
}

struct Meta {
    trees: [Tree; 2],
    last_page: u64,
    transaction: u64,
}

#[derive(Clone, Copy)]
struct Tree {
    depth: u16,
    root: u64,
}

fn meta(page: &[u8], page_size: usize) -> Result<Meta, String> {
    let body = page.get(PAGE_HEADER..).unwrap_or_default();
    if number16(page, 10)? & KINDS != META || number32(body, 0)? != MAGIC || number32(body, 4)? != DATA_VERSION {
        return Err("it does not begin with the two pages an LMDB file begins with".into());
    }
    if number32(body, 24)? as usize != page_size {
        return Err("its first two pages disagree".into());
    }
    Ok(Meta {
        trees: [tree(body, 24)?, tree(body, 24 + DB)?],
        last_page: number64(body, 24 + 2 * DB)?,
        transaction: number64(body, 24 + 2 * DB + 8)?,
    })
}

fn tree(bytes: &[u8], at: usize) -> Result<Tree, String> {
    Ok(Tree {
        depth: number16(bytes, at + 6)?,
        root: number64(bytes, at + 40)?,
    })
}

struct Walk<'a> {
    file: &'a File,
    page_size: usize,
    pages: u64,
    budget: u64,
}

impl Walk<'_> {
    /// Walks a tree; `named` where its leaves may hold trees.
    fn tree(&mut self, tree: Tree, named: bool) -> Result<(), String> {
        if tree.root == NO_PAGE {
            return Ok(());
        }
        if tree.depth == 0 || tree.depth > DEEPEST {
            return Err(format!("a tree is {} pages deep", tree.depth));
        }
        self.page(tree.root, tree.depth, named)
    }

    fn page(&mut self, number: u64, depth: u16, named: bool) -> Result<(), String> {
        if self.budget == 0 {
            return Ok(());
        }
        let mut page = vec![0; self.page_size];
        self.read_page(number, &mut page)?;
        let expected = if depth == 1 { LEAF } else { BRANCH };
        if number16(&page, 10)? & KINDS != expected {
            return Err(format!("page {number} is of another kind than its parent says"));
        }
        let (lower, upper) = (usize::from(number16(&page, 12)?), usize::from(number16(&page, 14)?));
        if lower < PAGE_HEADER || lower > upper || upper > self.page_size || lower % 2 != 0 {
            return Err(format!("page {number} has bounds that cannot be"));
        }
        for place in (PAGE_HEADER..lower).step_by(2) {
            let at = usize::from(number16(&page, place)?);
            let node = page
                .get(at..)
                .filter(|node| at >= upper && node.len() >= NODE_HEADER)
                .ok_or_else(|| format!("page {number} has an entry outside of it"))?;
            let key = usize::from(number16(node, 6)?);
            let (low, flags) = (number32(node, 0)?, number16(node, 4)?);
            if depth > 1 {
                if node.len() < NODE_HEADER + key {
                    return Err(format!("page {number} has a key outside of it"));
                }
                self.page(u64::from(low) | u64::from(flags) << 32, depth - 1, named)?;
            } else {
                self.leaf(number, node, key, (low, flags), named)?;
            }
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        number: u64,
        node: &[u8],
        key: usize,
        (size, flags): (u32, u16),
        named: bool,
    ) -> Result<(), String> {
        let size = size as usize;
        let inside = if flags & BIG_DATA == 0 { size } else { 8 };
        let data = node
            .get(NODE_HEADER + key..)
            .and_then(|data| data.get(..inside))
            .ok_or_else(|| format!("page {number} has data outside of it"))?;
        if flags & BIG_DATA != 0 {
            return self.overflow(number64(data, 0)?, size);
        }
        if named && flags & SUB_DATA != 0 {
            if size != DB {
                return Err(format!("page {number} names a tree of the wrong size"));
            }
            return self.tree(tree(data, 0)?, false);
        }
        Ok(())
    }

    fn overflow(&mut self, number: u64, size: usize) -> Result<(), String> {
        if self.budget == 0 {
            return Ok(());
        }
        let needed = (PAGE_HEADER - 1 + size) / self.page_size + 1;
        let mut header = [0; PAGE_HEADER];
        self.read_page(number, &mut header)?;
        let pages = number32(&header, 12)?;
        if number16(&header, 10)? & KINDS != OVERFLOW || (pages as usize) < needed {
            return Err(format!("page {number} does not hold the value it should"));
        }
        if number.saturating_add(u64::from(pages)) > self.pages {
            return Err(format!("the value in page {number} goes past the end of the file"));
        }
        Ok(())
    }

    fn read_page(&mut self, number: u64, into: &mut [u8]) -> Result<(), String> {
        self.budget -= 1;
        if number < 2 || number >= self.pages {
            return Err(format!(
                "page {number} is past the end of the file, which has {}",
                self.pages
            ));
        }
        read(self.file, into, number * self.page_size as u64)?;
        if number64(into, 0)? == number {
            Ok(())
        } else {
            Err(format!("page {number} says it is another"))
        }
    }
}

fn read(file: &File, into: &mut [u8], at: u64) -> Result<(), String> {
    file.read_exact_at(into, at)
        .map_err(|error| format!("it cannot be read at {at}: {error}"))
}

fn number16(bytes: &[u8], at: usize) -> Result<u16, String> {
    chunk(bytes, at).map(u16::from_ne_bytes)
}

fn number32(bytes: &[u8], at: usize) -> Result<u32, String> {
    chunk(bytes, at).map(u32::from_ne_bytes)
}

fn number64(bytes: &[u8], at: usize) -> Result<u64, String> {
    chunk(bytes, at).map(u64::from_ne_bytes)
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], String> {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .copied()
        .ok_or_else(|| "it is cut short".into())
}
