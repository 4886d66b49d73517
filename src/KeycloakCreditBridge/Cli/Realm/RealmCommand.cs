using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Realm;

/// <summary>Renames a realm on record.</summary>
internal static class RealmCommand
{
    private const int MostAccounts = 20;

    public static Task<int> RenameAsync(CommandHost host, string[] settings, RealmNames names, bool dryRun, bool merge, bool json) =>
        DatabaseSession.RunAsync(host, settings, [StorageOptions.Section], async (services, cancellationToken) =>
        {
            var store = services.GetRequiredService<RealmRenameStore>();
            if (await store.RunningAsync(names.Old, names.New, cancellationToken) is { } busy)
            {
                await Console.Error.WriteLineAsync(
                    $"Realm {Printable.Of(busy)} is reconciled now: repeat the command when the run has ended, or stop the service first.");
                return ExitCode.SomeFailed;
            }

            var result = dryRun
                ? await store.PlanAsync(names.Old, names.New, cancellationToken)
                : await store.RenameAsync(names.Old, names.New, merge, cancellationToken);
            if (result.AreTwoRealms && !merge)
            {
                await Console.Error.WriteLineAsync(
                    $"Nothing was renamed: {Printable.Of(names.New)} has {result.OnRecord} users on record and none of them is a user of "
                    + $"{Printable.Of(names.Old)}. Add --merge if they are one realm all the same.");
                return ExitCode.SomeFailed;
            }

            if (result.Moved.Count == 0)
            {
                var realms = await store.RealmsAsync(cancellationToken);
                await Console.Error.WriteLineAsync(
                    $"Nothing is on record for realm {Printable.Of(names.Old)}. Realms on record: "
                    + $"{(realms.Count == 0 ? "none" : string.Join(", ", realms.Select(Printable.Of)))}.");
                return ExitCode.SomeFailed;
            }

            foreach (var line in json ? [Json(names, result, dryRun)] : Lines(names, result, dryRun))
                await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    private static string Json(RealmNames names, RealmRename result, bool dryRun) => JsonSerializer.Serialize(
        new RenameResult(
            names.Old, names.New, dryRun, result.Moved.ToDictionary(rows => rows.Relation, rows => rows.Moved, StringComparer.Ordinal),
            result.InCommon, result.Second),
        RealmJson.Default.RenameResult);

    private static IEnumerable<string> Lines(RealmNames names, RealmRename result, bool dryRun)
    {
        var (from, to) = (Printable.Of(names.Old), Printable.Of(names.New));
        yield return $"{(dryRun ? "Would rename" : "Renamed")} realm {from} to {to}"
            + $"{(dryRun ? " (dry run, nothing was written)" : "")}:";
        foreach (var rows in result.Moved)
            yield return string.Create(CultureInfo.InvariantCulture, $"  {rows.Relation}: {rows.Moved} rows");
        if (result.InCommon > 0)
            yield return $"{result.InCommon} of these users were recorded as users of {to} too; the record with an account stands.";
        if (result.Second.Count > 0)
        {
            yield return $"{result.Second.Count} accounts that were opened a second time {(dryRun ? "would be" : "were")} closed. "
                + "Their credits stay in them.";
            foreach (var account in result.Second.Where(account => account.Used).Take(MostAccounts))
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {Printable.Of(account.AccountId)} was used and has {account.Balance:0.######} credits: "
                    + $"allocate to {Printable.Of(account.KeptId)} what its user is to keep");
        }

        if (!dryRun)
            yield return $"Set the realm's Keycloak:Realms:…:Name to {to} in all replicas, restart them, and run "
                + $"`KeycloakCreditBridge reconcile --realm {to}`.";
    }
}

/// <param name="Old">The name on record.</param>
/// <param name="New">The name in Keycloak.</param>
internal sealed record RealmNames(string Old, string New);

/// <summary>The line of `realm rename --json`.</summary>
/// <param name="Moved">Rows by table.</param>
/// <param name="InCommon">Users that were recorded under both names.</param>
/// <param name="Closed">Accounts that were opened a second time, with what is left in them.</param>
internal sealed record RenameResult(
    string From, string To, bool DryRun, Dictionary<string, long> Moved, long InCommon, IReadOnlyList<SecondAccount> Closed);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(RenameResult))]
internal sealed partial class RealmJson : JsonSerializerContext;
