//! The memory of one end of a link.

/// The memory of one end of a link: two buffers. Each is at least as long as the longest frame
/// through it ([`JobTable::frame_bytes`](super::JobTable::frame_bytes)).
///
/// A longer outbox has room for several frames that go out together. A longer inbox has room for
/// jobs that wait for their turn. If it has less room than the window has jobs, the others wait in
/// the link, which must not lose them.
#[derive(Debug)]
pub struct Buffers<'b> {
    /// For frames to be sent.
    pub outbox: &'b mut [u8],
    /// For frames that arrive.
    pub inbox: &'b mut [u8],
}
