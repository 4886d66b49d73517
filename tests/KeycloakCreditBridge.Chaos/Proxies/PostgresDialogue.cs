using System.Buffers.Binary;
using System.Text;

namespace KeycloakCreditBridge.Chaos.Proxies;

/// <summary>
/// Follows the protocol of one session with PostgreSQL as far as to know which statements a transaction consists of and when its end is
/// answered: that is where an answer can be lost.
/// </summary>
internal sealed class PostgresDialogue(ArmedFaults faults)
{
    private const int FirstRequestCode = 80877102;
    private const int LastRequestCode = 80877104;
    private const int LongestText = 64 * 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _statements = new(StringComparer.Ordinal);
    private readonly StringBuilder _asked = new();
    private byte[] _bytes = [];
    private bool _isStarted;

    /// <summary>Takes what the client sends.</summary>
    public void Ask(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            _bytes = [.. _bytes, .. bytes];
            var at = 0;
            while (Next(_bytes.AsSpan(at)) is > 0 and var length)
                at += length;
            _bytes = _bytes[at..];
        }
    }

    /// <summary>Whether this answer of the server is to be lost.</summary>
    public bool IsLost(ReadOnlySpan<byte> answer)
    {
        // ReadyForQuery outside of a transaction.
        if (!answer.EndsWith("Z\0\0\0\u0005I"u8))
            return false;
        lock (_gate)
        {
            var asked = _asked.ToString();
            _asked.Clear();
            return asked.Length > 0 && faults.Take(asked) is not null;
        }
    }

    // The length of the message at the start, or 0 when it is not there in full.
    private int Next(ReadOnlySpan<byte> bytes)
    {
        var head = _isStarted ? 5 : 4;
        if (bytes.Length < head)
            return 0;
        var length = BinaryPrimitives.ReadInt32BigEndian(bytes[(head - 4)..]) + head - 4;
        if (bytes.Length < length)
            return 0;
        if (!_isStarted)
            _isStarted = BinaryPrimitives.ReadInt32BigEndian(bytes[4..]) is < FirstRequestCode or > LastRequestCode;
        else
            Read(bytes[0], bytes[head..length]);
        return length;
    }

    private void Read(byte type, ReadOnlySpan<byte> body)
    {
        switch (type)
        {
            case (byte)'P':
                var name = TakeText(ref body);
                _statements[name] = TakeText(ref body);
                break;
            case (byte)'B':
                TakeText(ref body);
                Add(_statements.GetValueOrDefault(TakeText(ref body), ""));
                break;
            case (byte)'Q':
                Add(TakeText(ref body));
                break;
        }
    }

    private void Add(string statement)
    {
        if (Writes(statement) && _asked.Length < LongestText)
            _asked.Append(statement).Append('\n');
    }

    private static bool Writes(string statement) =>
        statement.Contains("insert into ", StringComparison.OrdinalIgnoreCase)
        || statement.Contains("update ", StringComparison.OrdinalIgnoreCase)
        || statement.Contains("delete from ", StringComparison.OrdinalIgnoreCase);

    private static string TakeText(ref ReadOnlySpan<byte> body)
    {
        var end = body.IndexOf((byte)0);
        var text = Encoding.UTF8.GetString(body[..end]);
        body = body[(end + 1)..];
        return text;
    }
}
