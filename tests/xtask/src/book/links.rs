//! Checks the links of a built book: each leads to a file that is there, and to a place in it.
//!
//! mdbook gives a link to any Markdown file the ending `.html`, as its own pages have. A link to a page of the
//! repository outside the book gets its ending back here.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Component, Path, PathBuf},
};

/// The number of links. An error names each that leads nowhere.
pub fn check(book: &Path) -> Result<usize, String> {
    let mut pages = Vec::new();
    pages_in(book, &mut pages)?;
    let mut places = Places::default();
    let mut wrong = BTreeSet::new();
    let mut count = 0;
    for page in pages {
        let mut text = read(&page)?;
        for link in attributes(&text, &["href", "src"]) {
            if link.contains(':') || link.starts_with("//") {
                continue; // another site, or data
            }
            count += 1;
            let (file, place) = link.split_once('#').unwrap_or((&link, ""));
            let mut target = match file {
                "" => page.clone(),
                file => normal(&page.with_file_name(file)),
            };
            let markdown = target.with_extension("md");
            if !target.exists() && !target.starts_with(book) && markdown.exists() {
                let mended = link.replacen(".html", ".md", 1);
                text = text.replace(&format!("\"{link}\""), &format!("\"{mended}\""));
                target = markdown;
            }
            if !places.are_there(&target, place) {
                wrong.insert(format!("{}: {link}", page.display()));
            }
        }
        fs::write(&page, text).map_err(|error| format!("{}: {error}", page.display()))?;
    }
    match wrong.is_empty() {
        true => Ok(count),
        false => Err(format!(
            "links that lead nowhere:\n{}",
            wrong.into_iter().collect::<Vec<_>>().join("\n")
        )),
    }
}

/// All pages of a book.
fn pages_in(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<(), String> {
    let problem = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        if path.is_dir() {
            pages_in(&path, pages)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "html")
        {
            pages.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The values of these attributes, in elements of any name.
fn attributes(page: &str, names: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in names {
        let start = format!(" {name}=\"");
        let values = page.split(&start).skip(1);
        found.extend(values.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    found
}

/// A path without `..`, which a browser resolves by itself.
fn normal(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                found.pop();
            }
            part => found.push(part),
        }
    }
    found
}

/// The places in files to which a link can lead.
#[derive(Default)]
struct Places(HashMap<PathBuf, BTreeSet<String>>);

impl Places {
    fn are_there(&mut self, file: &Path, place: &str) -> bool {
        if !file.exists() {
            return false;
        }
        let places = || places_in(file).unwrap_or_default();
        place.is_empty()
            || self
                .0
                .entry(file.into())
                .or_insert_with(places)
                .contains(place)
    }
}

fn places_in(file: &Path) -> Result<BTreeSet<String>, String> {
    let text = read(file)?;
    if file.extension().is_some_and(|extension| extension == "md") {
        let headings = text.lines().filter(|line| line.starts_with('#'));
        return Ok(headings.map(anchor).collect());
    }
    Ok(attributes(&text, &["id"]))
}

/// The name of a heading in a link, on a forge.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        _ => character.is_alphanumeric().then_some(character),
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(pages: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in pages {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_link_to_a_place_that_is_there_passes() {
        let folder = book(&[
            (
                "book/a.html",
                r##"<a href="b.html#there"> <a href="#here"> <p id="here">"##,
            ),
            ("book/b.html", r#"<h2 id="there">"#),
        ]);
        assert_eq!(check(&folder.path().join("book")), Ok(2));
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_fails() {
        let folder = book(&[("book/a.html", r#"<img src="b.svg">"#)]);
        let error = check(&folder.path().join("book")).unwrap_err();
        assert!(error.ends_with("a.html: b.svg"), "{error}");
    }

    #[test]
    fn a_link_to_a_place_that_is_not_there_fails() {
        let folder = book(&[("book/a.html", r##"<a href="#there">"##)]);
        let error = check(&folder.path().join("book")).unwrap_err();
        assert!(error.ends_with("a.html: #there"), "{error}");
    }

    #[test]
    fn a_link_to_a_page_outside_the_book_keeps_its_ending() {
        let folder = book(&[
            ("book/a.html", r#"<a href="../c.html#a-page-of-2">"#),
            ("c.md", "# A page, of 2\n"),
        ]);
        let inner = folder.path().join("book");
        assert_eq!(check(&inner), Ok(1));
        let page = read(&inner.join("a.html")).unwrap();
        assert_eq!(page, r#"<a href="../c.md#a-page-of-2">"#);
    }
}
