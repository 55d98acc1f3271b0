//! What a program file says of itself, for the tests that read one.

use object::LittleEndian;
use object::elf::{FileHeader64, SHN_UNDEF, SHT_SYMTAB};
use object::read::elf::{FileHeader, Sym};

pub type Elf = FileHeader64<LittleEndian>;

/// The file's header.
///
/// # Panics
///
/// If it is none of a program for a 64-bit little-endian machine.
#[must_use]
pub fn header(file: &[u8]) -> &Elf {
    Elf::parse(file).expect("a 64-bit little-endian ELF file")
}

/// A name in the table of symbols.
pub struct Symbol {
    pub name: String,
    /// It is in the file, and not left for somebody else to define.
    pub is_defined: bool,
}

/// The table of symbols, without the null symbol that every one begins with.
///
/// # Panics
///
/// If there is no table that can be read.
#[must_use]
pub fn symbols(file: &[u8]) -> Vec<Symbol> {
    let sections = header(file).sections(LittleEndian, file).expect("sections");
    let table = sections
        .symbols(LittleEndian, file, SHT_SYMTAB)
        .expect("a symbol table");
    let symbols = table.enumerate().filter(|(index, _)| index.0 != 0);
    let symbols = symbols.map(|(_, symbol)| {
        let name = symbol.name(LittleEndian, table.strings()).expect("a name");
        Symbol {
            name: String::from_utf8_lossy(name).into_owned(),
            is_defined: symbol.st_shndx(LittleEndian) != SHN_UNDEF,
        }
    });
    symbols.collect()
}
