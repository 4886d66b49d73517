using System.Buffers.Binary;
using System.Buffers.Text;

namespace KeycloakCreditBridge.Credits.Ledger;

/// <summary>A position in a ledger, behind this row. It stays valid while rows are added.</summary>
/// <param name="At">The row's time; null where it has none.</param>
internal sealed record LedgerPosition(DateTimeOffset? At, Guid Id)
{
    private const int Length = 24;

    /// <summary>Before every row.</summary>
    public static LedgerPosition Start { get; } = new(DateTimeOffset.MaxValue, Guid.AllBitsSet);

    /// <summary>Opaque to callers.</summary>
    public string ToCursor()
    {
        Span<byte> bytes = stackalloc byte[Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, At?.UtcTicks ?? 0);
        Id.TryWriteBytes(bytes[8..], bigEndian: true, out _);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Null when it is not a cursor of the bridge.</summary>
    public static LedgerPosition? FromCursor(string cursor)
    {
        Span<byte> bytes = stackalloc byte[Length];
        if (!Base64Url.IsValid(cursor) || !Base64Url.TryDecodeFromChars(cursor, bytes, out var length) || length != Length)
            return null;
        var ticks = BinaryPrimitives.ReadInt64BigEndian(bytes);
        if (ticks < 0 || ticks > DateTimeOffset.MaxValue.UtcTicks)
            return null;
        return new LedgerPosition(ticks == 0 ? null : new DateTimeOffset(ticks, TimeSpan.Zero), new Guid(bytes[8..], bigEndian: true));
    }
}
