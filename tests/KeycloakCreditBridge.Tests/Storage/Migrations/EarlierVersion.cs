using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Logging.Abstractions;

namespace KeycloakCreditBridge.Tests.Storage.Migrations;

/// <summary>A database as a program with the migrations up to 0015 left it.</summary>
internal static class EarlierVersion
{
    private const int Last = 15;

    /// <summary>The users that it had given accounts to.</summary>
    public static readonly string[] Users =
    [
        "7c855a6f-071e-4418-bbf8-819216a324f7", "e3e3442d-4309-4cf8-bb36-930559592d70", "c4e4e422-9982-4098-86f2-18eaa430438f",
        "2973d344-1df6-4fa5-9fef-b5dfdf45c911",
    ];

    /// <summary>Gives an empty database its tables and the rows that it was recorded writing.</summary>
    public static async Task WriteAsync(TestDatabase database, CancellationToken cancellationToken)
    {
        await new Migrator(database.DataSource, TimeProvider.System, NullLogger<Migrator>.Instance)
        {
            Known = [.. Migration.Embedded.Where(migration => migration.Version <= Last)],
        }.MigrateAsync(cancellationToken);
        await database.ExecuteAsync(
            await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures", "schema-0015-data.sql"), cancellationToken));
    }
}
