//! `Directory` through a reference, `Rc` or `Arc`.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
#[cfg(feature = "alloc")]
use alloc::rc::Rc;
#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use alloc::sync::Arc;

use super::{Capabilities, Directory, Folder, Locking, Name};

macro_rules! forward_directory {
    ($($(#[$attribute:meta])* $pointer:ty),+ $(,)?) => {$(
        $(#[$attribute])*
        impl<D: Directory + ?Sized> Directory for $pointer {
            type Error = D::Error;
            type Reader = D::Reader;
            type Appender = D::Appender;
            type Lock = D::Lock;

            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
            fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, Self::Error> {
                (**self).open(name)
            }
            fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, Self::Error> {
                (**self).create(name, reserve)
            }
            fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, Self::Error> {
                (**self).reopen(name, at)
            }
            fn remove(&self, name: Name<'_>) -> Result<(), Self::Error> {
                (**self).remove(name)
            }
            fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Self::Error> {
                (**self).list(folder, each)
            }
            fn sync_file(&self, name: Name<'_>) -> Result<(), Self::Error> {
                (**self).sync_file(name)
            }
            fn sync_dir(&self, folder: Folder<'_>) -> Result<(), Self::Error> {
                (**self).sync_dir(folder)
            }
            fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, Self::Error> {
                (**self).lock(name)
            }
            fn nonce(&self) -> u64 {
                (**self).nonce()
            }
            fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), Self::Error> {
                (**self).rename(from, to)
            }
            #[cfg(feature = "alloc")]
            fn file_path(&self, name: Name<'_>) -> Option<String> {
                (**self).file_path(name)
            }
        }
    )+};
}

forward_directory!(
    &D,
    #[cfg(feature = "alloc")] Rc<D>,
    #[cfg(feature = "alloc")] Box<D>,
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))] Arc<D>,
);
