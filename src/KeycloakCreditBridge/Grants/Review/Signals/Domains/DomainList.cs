using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Grants.Review.Signals.Domains;

/// <summary>Domains, each with all that lie below it.</summary>
internal sealed partial class DomainList
{
    private const int Longest = 255;
    private const int MostNonsense = 100;

    private static readonly IdnMapping Idn = new() { UseStd3AsciiRules = true };

    private readonly FrozenSet<string> _domains;
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    private DomainList(IEnumerable<string> domains)
    {
        _domains = domains.ToFrozenSet(StringComparer.Ordinal);
        _lookup = _domains.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public int Count => _domains.Count;

    /// <summary>Lines that are no domains and were left out.</summary>
    public int Skipped { get; private init; }

    /// <summary>The list with all that another one has.</summary>
    public DomainList With(DomainList other) => new([.. _domains, .. other._domains]) { Skipped = Skipped + other.Skipped };

    /// <summary>Whether the domain of an address is one of these or lies below one. It allocates nothing for an ASCII address.</summary>
    /// <param name="address">An address, or a domain alone.</param>
    public bool Has(ReadOnlySpan<char> address)
    {
        var domain = address[(address.LastIndexOf('@') + 1)..].Trim();
        if (!System.Text.Ascii.IsValid(domain))
            domain = Ascii(domain.ToString());
        if (domain.Length is 0 or > Longest)
            return false;
        Span<char> lower = stackalloc char[domain.Length];
        domain.ToLowerInvariant(lower);
        for (ReadOnlySpan<char> rest = lower; !rest.IsEmpty;)
        {
            if (_lookup.Contains(rest))
                return true;
            var dot = rest.IndexOf('.');
            rest = dot < 0 ? [] : rest[(dot + 1)..];
        }

        return false;
    }

    /// <summary>The domain of an address with those above it, such as `a.example.com`, `example.com`, `com`; none without one.</summary>
    public static IReadOnlyList<string> Suffixes(string address)
    {
        List<string> suffixes = [];
        for (var rest = Normal(address[(address.LastIndexOf('@') + 1)..]); rest.Length > 0;)
        {
            suffixes.Add(rest);
            var dot = rest.IndexOf('.', StringComparison.Ordinal);
            rest = dot < 0 ? "" : rest[(dot + 1)..];
        }

        return suffixes;
    }

    /// <summary>A domain as lists have it: in lower case and ASCII; empty where the text is none.</summary>
    public static string Normal(string domain) => Ascii(domain.Trim().ToLowerInvariant());

    /// <summary>Whether a text, as <see cref="Normal"/> makes it, is a domain that users can have: no suffix of a registry.</summary>
    public static bool IsDomain(string domain) =>
        domain.Length <= Longest && Form().IsMatch(domain) && !Registry().IsMatch(domain);

    /// <summary>Reads a list: a domain on each line, without empty lines and those that begin with `#`, or a JSON array.</summary>
    /// <exception cref="FormatException">More than one line in a hundred is no domain, or there is none.</exception>
    public static DomainList Parse(string text)
    {
        List<string> domains = [];
        var (all, skipped, first) = (0, 0, "");
        foreach (var line in Lines(text))
        {
            all++;
            var domain = Normal(line.StartsWith("*.", StringComparison.Ordinal) ? line[2..] : line);
            if (IsDomain(domain))
            {
                domains.Add(domain);
                continue;
            }

            skipped++;
            if (first.Length == 0)
                first = line.Length > MostNonsense ? line[..MostNonsense] : line;
        }

        if (domains.Count == 0)
            throw new FormatException("has no domain: give one a line, such as mailinator.com");
        return skipped * 100L > all
            ? throw new FormatException(string.Create(
                CultureInfo.InvariantCulture, $"has {skipped} of {all} lines that are no domains, such as '{first}': correct them"))
            : new DomainList(domains) { Skipped = skipped };
    }

    private static IEnumerable<string> Lines(string text)
    {
        if (text.AsSpan().TrimStart() is ['[', ..])
        {
            try
            {
                return JsonSerializer.Deserialize(text, DomainListJson.Default.StringArray) ?? [];
            }
            catch (JsonException exception)
            {
                throw new FormatException($"begins as a JSON array and is none: {exception.Message}", exception);
            }
        }

        return text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#');
    }

    private static string Ascii(string domain)
    {
        try
        {
            return domain.EndsWith('.') ? "" : Idn.GetAscii(domain).ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            return "";
        }
    }

    [GeneratedRegex(@"\A([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\z")]
    private static partial Regex Form();

    // Domains of countries are given below these names: one of them would be the mail of a whole country.
    [GeneratedRegex(@"\A(ac|co|com|edu|go|gob|gov|mil|ne|net|or|org)\.[a-z]{2}\z")]
    private static partial Regex Registry();
}
