using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Adoption;

namespace KeycloakCreditBridge.Cli.Adopt;

/// <summary>Adopts the accounts of an existing installation, or shows what that would change.</summary>
internal static class AdoptCommand
{
    // The findings in the order in which they are shown.
    private static readonly (string Name, string Meaning)[] Meanings =
    [
        ("duplicates", "users with several accounts, which become one"),
        ("renamed", "accounts that get the id of the configured template"),
        ("repeated_openings", "users whose ledger has the opening grant more than once"),
        ("without_ledger", "accounts without any ledger row"),
        ("without_opening", "accounts whose ledger has no opening grant"),
        ("without_account", "users with an opening grant in the ledger and no account, which is opened with what the ledger says"),
        ("mismatched", "accounts whose ledger does not add up to the balance"),
        ("taken_back", "users whose balance loses what was granted twice"),
        ("ending", "accounts with credits that get an end by Adopt:ExpiresAfter, bought ones apart"),
        ("unmarked", "users whose account is not on record as theirs"),
        ("unowned", "not changed: accounts of no user in Keycloak"),
        ("shared", "not changed: accounts that several users have a claim to"),
        ("unproven", "not changed: accounts whose owner's address is not verified (--trust-addresses accepts it)"),
        ("uuid_ids", "accounts under a Keycloak id (UUID)"),
        ("address_ids", "accounts under an e-mail address"),
    ];

    public static Task<int> RunAsync(CommandHost host, string[] settings, bool apply, AdoptionOptions options, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var adopter = services.GetRequiredService<Adopter>();
            var report = apply
                ? await adopter.ApplyAsync(options, new LineProgress(json ? TextWriter.Null : Console.Error), cancellationToken)
                : await adopter.PlanAsync(options, cancellationToken);
            foreach (var line in json ? [JsonSerializer.Serialize(report, AdoptJson.Default.AdoptionReport)] : Text(report))
                await Console.Out.WriteLineAsync(line);
            return (report.Done is null ? report.Totals.Due : report.Skipped) == 0 ? ExitCode.Done : ExitCode.SomeFailed;
        });

    private static IEnumerable<string> Text(AdoptionReport report)
    {
        foreach (var line in report.Replaced)
            yield return $"When this database was migrated: {Printable.Of(line)}.";
        yield return FormattableString.Invariant($"{report.Totals.Users} users in Keycloak, {report.Totals.Accounts} accounts.");
        foreach (var (name, meaning) in Meanings)
        {
            if (report.Findings.FirstOrDefault(finding => finding.Name == name) is not { } found)
                continue;
            yield return FormattableString.Invariant($"{found.Count} {meaning}");
            foreach (var first in found.First)
                yield return $"    {Printable.Of(first)}";
        }

        if (report.Totals.Due > 0)
            yield return FormattableString.Invariant(
                $"Granted more than once: {report.Totals.TakenBack} taken back, {report.Totals.NotTakenBack} spent and not taken back.");
        yield return Verdict(report);
    }

    private static string Verdict(AdoptionReport report) => report switch
    {
        { Totals.Due: 0 } => "Nothing to do.",
        { Done: null } =>
            FormattableString.Invariant($"{report.Totals.Due} to do: run `KeycloakCreditBridge adopt --apply`. Nothing was changed."),
        { Skipped: 0 } => FormattableString.Invariant($"Done: {report.Done} adopted."),
        _ => FormattableString.Invariant(
            $"{report.Done} adopted; {report.Skipped} skipped, because others changed them meanwhile: run the same command again."),
    };

    private sealed class LineProgress(TextWriter error) : IProgress<long>
    {
        public void Report(long value) => error.WriteLine(FormattableString.Invariant($"{value} adopted"));
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AdoptionReport))]
internal sealed partial class AdoptJson : JsonSerializerContext;
