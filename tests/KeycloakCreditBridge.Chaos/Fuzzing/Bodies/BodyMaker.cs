using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace KeycloakCreditBridge.Chaos.Fuzzing.Bodies;

/// <summary>Makes a body of a sound one by some changes.</summary>
/// <param name="random">Decides all: the same numbers make the same body.</param>
[SuppressMessage("Security", "CA5394", Justification = "A seed has to make the same bodies each time.")]
internal sealed class BodyMaker(Random random)
{
    private const int DeepestNesting = 3_000;
    private const int LongestFill = 200_000;

    /// <param name="kind">What most of them are made of.</param>
    public byte[] Make(BodyKind kind)
    {
        var seed = Choose(random.Next(8) == 0 ? Corpus.All : Corpus.Of(kind));
        var body = new List<byte>(seed.Body);
        // Places of members are those of the sound body, so that only the first change may go by them.
        if (seed.Members.Count > 0 && random.Next(4) > 0)
            ChangeMember(body, Choose(seed.Members));
        for (var changes = random.Next(3); changes > 0; changes--)
            ChangeBytes(body);
        return random.Next(40) == 0 ? Whole(body) : [.. body];
    }

    private void ChangeMember(List<byte> body, (int Start, int Value, int End) member)
    {
        var (start, value, end) = member;
        switch (random.Next(8))
        {
            case 0:
                body.RemoveRange(start, end - start);
                break;
            case 1:
                body.InsertRange(start, [.. body.GetRange(start, value - start), .. Value(), (byte)',']);
                break;
            case 2:
                body.InsertRange(start, [.. Choose(Fragments.Members), .. Value(), (byte)',']);
                break;
            case 3:
                body.InsertRange(start, [.. body.GetRange(start, end - start), (byte)',']);
                break;
            case 4:
                Nest(body, value, end);
                break;
            default:
                body.RemoveRange(value, end - value);
                body.InsertRange(value, Value());
                break;
        }
    }

    private byte[] Value()
    {
        if (random.Next(6) > 0)
            return Choose(Fragments.Values);
        var other = Choose(Corpus.All);
        if (other.Members.Count == 0)
            return other.Body;
        var (_, value, end) = Choose(other.Members);
        return other.Body[value..end];
    }

    private void Nest(List<byte> body, int start, int end)
    {
        var depth = random.Next(5) == 0 ? random.Next(DeepestNesting) : random.Next(80);
        var isClosed = random.Next(4) > 0;
        if (isClosed)
            body.InsertRange(end, Enumerable.Repeat((byte)']', depth));
        body.InsertRange(start, Enumerable.Repeat((byte)'[', depth));
    }

    private void ChangeBytes(List<byte> body)
    {
        var at = random.Next(body.Count + 1);
        var length = Math.Min(random.Next(1, 40), body.Count - at);
        switch (random.Next(8))
        {
            case 0 when at < body.Count:
                body[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < body.Count:
                body[at] = (byte)random.Next(256);
                break;
            case 2:
                body.RemoveRange(at, length);
                break;
            case 3:
                body.InsertRange(at, body.GetRange(at, length));
                break;
            case 4 when random.Next(3) == 0:
                body.RemoveRange(at, body.Count - at);
                break;
            case 5:
                var other = Choose(Corpus.All).Body;
                body.InsertRange(at, other.AsSpan(random.Next(other.Length)).ToArray());
                break;
            default:
                body.InsertRange(at, Choose(Fragments.Bytes));
                break;
        }
    }

    private byte[] Whole(List<byte> body) => random.Next(8) switch
    {
        0 => [],
        1 => [0xEF, 0xBB, 0xBF, .. body],
        2 => [.. "["u8, .. body, .. ","u8, .. body, .. "]"u8],
        3 => [.. body, .. "\n"u8, .. body],
        4 => [.. Enumerable.Repeat((byte)(random.Next(2) == 0 ? '[' : '{'), random.Next(DeepestNesting)), .. body],
        5 => Filled(body),
        _ => Choose(Fragments.Charsets).GetBytes(Encoding.UTF8.GetString([.. body])),
    };

    // Long ones show what grows faster than the body.
    private byte[] Filled(List<byte> body)
    {
        var filler = Choose(Fragments.Values);
        var count = random.Next(LongestFill / (filler.Length + 1));
        var filled = new List<byte>(body.Count + (count * (filler.Length + 1))) { (byte)'[' };
        for (var number = 0; number < count; number++)
        {
            filled.AddRange(filler);
            filled.Add((byte)',');
        }

        filled.AddRange(body);
        filled.Add((byte)']');
        return [.. filled];
    }

    private T Choose<T>(IReadOnlyList<T> choices) => choices[random.Next(choices.Count)];
}
