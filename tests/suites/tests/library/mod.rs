//! The public functions of the library, read off its sources: for the suites that check them.

// Each suite uses a part.
#![allow(dead_code)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Expr, ImplItem, Item, ItemUse, Lit, Meta, Signature, TraitItem, Type, UseTree,
    Visibility,
};

/// Traits that are there to be implemented: the library calls their methods.
const CALLED_BY_THE_LIBRARY: &[&str] = &[
    "Ambient",
    "Cores",
    "Link",
    "Parker",
    "Port",
    "RemoteJob",
    "SoftwareInterrupt",
    "Spill",
    "Submitter",
    "Worker",
];

/// A public function or method.
pub struct Function {
    /// The type or trait of a method.
    pub owner: Option<String>,
    pub attributes: Vec<Attribute>,
    pub signature: Signature,
    /// It is a method of a trait that users implement.
    pub is_called_by_the_library: bool,
}

/// The repository.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap()
}

/// The Rust files of a folder and of those in it.
pub fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The Rust files of the library.
pub fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    sources(&root().join("core/src"), &mut files);
    sources(&root().join("std-adapter/src"), &mut files);
    files
}

/// A public module exports its public items, as if its parent did by `pub use`.
pub fn parsed(path: &Path) -> syn::File {
    let mut file = parsed_alone(path);
    if is_public_module(path) {
        let names = file.items.iter().filter_map(name_of_public);
        let names: Vec<_> = names.cloned().collect();
        file.items
            .push(syn::parse_quote!(pub use self::{#(#names),*};));
    }
    file
}

fn parsed_alone(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether the parent of a file's module declares it by `pub mod`.
fn is_public_module(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else {
        return false;
    };
    let parents = [
        folder.join("mod.rs"),
        folder.join("lib.rs"),
        folder.with_extension("rs"),
    ];
    let mut parents = parents
        .iter()
        .filter(|parent| parent.exists() && *parent != path);
    parents.any(|parent| {
        parsed_alone(parent).items.iter().any(|item| {
            matches!(item, Item::Mod(module)
                if is_public(&module.vis) && module.ident == name.to_string_lossy())
        })
    })
}

fn name_of_public(item: &Item) -> Option<&syn::Ident> {
    let (visibility, name) = match item {
        Item::Fn(function) => (&function.vis, &function.sig.ident),
        Item::Struct(structure) => (&structure.vis, &structure.ident),
        Item::Trait(owner) => (&owner.vis, &owner.ident),
        _ => return None,
    };
    is_public(visibility).then_some(name)
}

/// The names that a `pub use` gives to the world.
fn exported(tree: &UseTree, into: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => exported(&path.tree, into),
        UseTree::Group(group) => group.items.iter().for_each(|tree| exported(tree, into)),
        UseTree::Name(name) => {
            into.insert(name.ident.to_string());
        }
        UseTree::Rename(rename) => {
            into.insert(rename.rename.to_string());
        }
        UseTree::Glob(_) => panic!("a public glob import hides what is public"),
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// For tests only, or not meant for users.
pub fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let said = quote::quote!(#attribute).to_string();
        said.contains("doc (hidden)") || said.contains("cfg (test)") || said == "# [cfg (loom)]"
    })
}

/// The method that an item of an `impl` block is. It may be in a macro that makes it `const`, except under loom.
fn method_of(item: &ImplItem) -> Option<syn::ImplItemFn> {
    match item {
        ImplItem::Fn(method) => Some(method.clone()),
        ImplItem::Macro(inside) => {
            let mut method: syn::ImplItemFn = syn::parse2(inside.mac.tokens.clone()).ok()?;
            if inside.mac.path.is_ident("const_unless_loom") {
                method.sig.constness = Some(Default::default());
            }
            Some(method)
        }
        _ => None,
    }
}

/// The public functions of some files.
pub fn functions_of(files: &[syn::File]) -> Vec<Function> {
    let items = || files.iter().flat_map(|file| &file.items);
    let mut names = BTreeSet::new();
    for item in items() {
        if let Item::Use(ItemUse { vis, tree, .. }) = item
            && is_public(vis)
        {
            exported(tree, &mut names);
        }
    }
    let mut functions = Vec::new();
    for item in items() {
        match item {
            Item::Fn(function)
                if is_public(&function.vis)
                    && !is_hidden(&function.attrs)
                    && names.contains(&function.sig.ident.to_string()) =>
            {
                functions.push(Function {
                    owner: None,
                    attributes: function.attrs.clone(),
                    signature: function.sig.clone(),
                    is_called_by_the_library: false,
                });
            }
            Item::Trait(owner) if is_public(&owner.vis) => {
                let name = owner.ident.to_string();
                if !names.contains(&name) {
                    continue;
                }
                for item in &owner.items {
                    if let TraitItem::Fn(method) = item
                        && !is_hidden(&method.attrs)
                    {
                        functions.push(Function {
                            owner: Some(name.clone()),
                            attributes: method.attrs.clone(),
                            signature: method.sig.clone(),
                            is_called_by_the_library: CALLED_BY_THE_LIBRARY.contains(&&*name),
                        });
                    }
                }
            }
            Item::Impl(block) if block.trait_.is_none() && !is_hidden(&block.attrs) => {
                let Type::Path(path) = &*block.self_ty else {
                    continue;
                };
                let owner = path.path.segments.last().unwrap().ident.to_string();
                if !names.contains(&owner) {
                    continue;
                }
                for method in block.items.iter().filter_map(method_of) {
                    if is_public(&method.vis) && !is_hidden(&method.attrs) {
                        functions.push(Function {
                            owner: Some(owner.clone()),
                            attributes: method.attrs,
                            signature: method.sig,
                            is_called_by_the_library: false,
                        });
                    }
                }
            }
            _ => {}
        }
    }
    functions
}

/// The public functions of the library.
pub fn functions() -> Vec<Function> {
    let files: Vec<_> = files().iter().map(|path| parsed(path)).collect();
    functions_of(&files)
}

/// The lines of a documentation.
pub fn doc_lines(attributes: &[Attribute]) -> Vec<String> {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(text) = &meta.value
            && let Lit::Str(text) = &text.lit
        {
            lines.push(text.value().trim().to_string());
        }
    }
    lines
}
