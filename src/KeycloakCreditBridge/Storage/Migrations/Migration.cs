using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace KeycloakCreditBridge.Storage.Migrations;

/// <summary>A step of the schema: a file of the folder `Migrations`, embedded in the program.</summary>
/// <param name="Version">Its number, which is its place in the order.</param>
/// <param name="Requires">
/// The migration that a program must have to work on the schema after this one. 0, unless the file's first line is
/// `-- requires: NNNN`: every older program goes on working.
/// </param>
internal sealed partial record Migration(int Version, string Name, string Sql, string Checksum, int Requires)
{
    private const string ResourcePrefix = "KeycloakCreditBridge.Storage.Migrations.";

    /// <summary>All migrations of this program, in their order.</summary>
    public static IReadOnlyList<Migration> Embedded { get; } =
    [
        .. typeof(Migration).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(Read),
    ];

    private static Migration Read(string resource)
    {
        using var reader = new StreamReader(typeof(Migration).Assembly.GetManifestResourceStream(resource)!);
        var sql = reader.ReadToEnd().ReplaceLineEndings("\n");
        var name = resource[ResourcePrefix.Length..^".sql".Length];
        var requires = RequiresLine().Match(sql);
        return new Migration(
            Number(name[..4]),
            name,
            sql,
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sql))),
            requires.Success ? Number(requires.Groups[1].Value) : 0);
    }

    private static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    [GeneratedRegex("\\A-- requires: ([0-9]{4})\n")]
    private static partial Regex RequiresLine();
}

/// <param name="Requires">As in <see cref="Migration"/>.</param>
internal sealed record AppliedMigration(int Version, string Name, string Checksum, int Requires);
