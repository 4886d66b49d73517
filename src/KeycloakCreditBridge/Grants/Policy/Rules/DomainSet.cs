using System.Globalization;

namespace KeycloakCreditBridge.Grants.Policy.Rules;

/// <summary>
/// Domains of e-mail addresses: whole ones, and with `*.` those below one. Names in other scripts count as their ASCII form.
/// </summary>
internal sealed class DomainSet
{
    public const int Most = 10_000;

    private readonly HashSet<string> _whole = new(StringComparer.Ordinal);
    private readonly HashSet<string> _above = new(StringComparer.Ordinal);

    public DomainSet(IEnumerable<string> domains)
    {
        foreach (var domain in domains)
        {
            if (domain.StartsWith("*.", StringComparison.Ordinal))
                _above.Add(Ascii(domain[2..])!);
            else
                _whole.Add(Ascii(domain)!);
        }
    }

    /// <summary>Whether the address is in one of the domains.</summary>
    public bool Has(string email)
    {
        if (Ascii(email[(email.LastIndexOf('@') + 1)..]) is not { } domain)
            return false;
        if (_whole.Contains(domain))
            return true;
        for (var dot = domain.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = domain.IndexOf('.', dot + 1))
        {
            if (_above.Contains(domain[(dot + 1)..]))
                return true;
        }

        return false;
    }

    /// <summary>The domains of a file: one a line, without empty lines and those that begin with `#`.</summary>
    public static IReadOnlyList<string> Lines(string file) =>
        [.. File.ReadLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#')];

    /// <summary>What is wrong with a domain; null when nothing is.</summary>
    public static string? ProblemWith(string domain) =>
        Ascii(domain.StartsWith("*.", StringComparison.Ordinal) ? domain[2..] : domain)?.Contains('.', StringComparison.Ordinal) == true
            ? null
            : $"'{domain}' is no domain: give the part behind the @, such as example.com or *.edu.example";

    /// <summary>What is wrong with a file of domains; null when nothing is.</summary>
    public static string? ProblemWithFile(string file)
    {
        try
        {
            var lines = Lines(file);
            if (lines.Count is 0 or > Most)
                return string.Create(CultureInfo.InvariantCulture, $"has {lines.Count} domains: give 1 to {Most}");
            return lines.Select(ProblemWith).FirstOrDefault(problem => problem is not null);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"cannot be read: {exception.Message}";
        }
    }

    private static string? Ascii(string domain)
    {
        try
        {
            var name = new IdnMapping { UseStd3AsciiRules = true }.GetAscii(domain.Trim().ToLowerInvariant()).ToLowerInvariant();
            return name.EndsWith('.') ? null : name;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
