using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>
/// A statement whose parameters stand as `$1`, as PostgreSQL takes them. Npgsql reads a statement with named parameters from its first to
/// its last character at each call.
/// </summary>
internal sealed partial class PositionalSql
{
    // By the object, as the hash of a long text costs more than the call saves.
    private static readonly ConditionalWeakTable<string, PositionalSql> Known = [];

    private readonly List<string> _names = [];

    private PositionalSql(string named) => Text = Parts().Replace(named, part =>
    {
        if (part.Groups["name"] is not { Success: true, Value: var name })
            return part.Value;
        var index = _names.IndexOf(name);
        if (index < 0)
        {
            index = _names.Count;
            _names.Add(name);
        }

        return $"${index + 1}";
    });

    /// <summary>The statement as PostgreSQL takes it.</summary>
    public string Text { get; }

    /// <param name="named">The statement with parameters as `@Name`: a constant, as it is kept for as long as the program has it.</param>
    public static PositionalSql Of(string named) => Known.GetValue(named, static text => new PositionalSql(text));

    /// <summary>
    /// Adds the values in the order of the statement. Those that it does not name are left out. A parameter serves one call, as it loses
    /// its name.
    /// </summary>
    /// <exception cref="ArgumentException">The statement names a parameter that is not among them.</exception>
    public void Add(IEnumerable<NpgsqlParameter> named, NpgsqlParameterCollection parameters)
    {
        var values = named as NpgsqlParameter[] ?? [.. named];
        foreach (var name in _names)
        {
            var value = Array.Find(values, parameter => parameter.ParameterName == name)
                ?? throw new ArgumentException($"The statement has no value for @{name}.", nameof(named));
            value.ParameterName = "";
            parameters.Add(value);
        }
    }

    // Texts, names in quotes and comments are not searched.
    [GeneratedRegex("""'[^']*'|"[^"]*"|--[^\n]*|@(?<name>[A-Za-z_]\w*)""", RegexOptions.CultureInvariant)]
    private static partial Regex Parts();
}
