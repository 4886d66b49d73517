using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Reconciliation.Trials;

namespace KeycloakCreditBridge.Cli.Grants.Policies;

/// <summary>Counts what other settings of grants would give, before they are used.</summary>
internal static class TrialCommand
{
    private static readonly string[] ColumnHeads = ["GRANT", "RULE", "WHAT", "USERS", "CREDITS", "BUDGET"];

    private static readonly Option<string> Config = new("--config")
    {
        Description = "A file as appsettings.json. Its section Grants takes the place of the present one as a whole.",
        HelpName = "FILE",
        Required = true,
    };

    private static readonly Option<string?> Realm = new("--realm")
    {
        Description = "Only this realm; all configured ones without it.", HelpName = "NAME",
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("row");

    public static Command Command(CommandHost host)
    {
        var command = new Command(
            "try", "Count who would get what by other settings, if all users of Keycloak registered now. Nothing is written.")
        {
            Config, Realm, Json,
        };
        command.SetAction((parsed, _) => RunAsync(
            host, host.Settings(parsed), parsed.GetRequiredValue(Config), parsed.GetValue(Realm), parsed.GetValue(Json)));
        return command;
    }

    private static Task<int> RunAsync(CommandHost host, string[] settings, string file, string? realm, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var policy = PolicyOf(services, file);
            foreach (var name in ConfiguredRealms.Of(services, realm))
            {
                var rows = await services.GetRequiredService<PolicyTrial>().RunAsync(policy, name, cancellationToken);
                foreach (var line in json ? rows.Select(ToJson) : Lines(name, rows))
                    await Console.Out.WriteLineAsync(line);
            }

            return ExitCode.Done;
        });

    private static GrantPolicy PolicyOf(IServiceProvider services, string file)
    {
        var given = Read(file);
        if (!given.Keys.Any(IsOfGrants))
            throw new ConfigurationException([$"--config {file} has no section {GrantsOptions.Section}: nothing would be tried."]);
        var present = services.GetRequiredService<IConfiguration>().AsEnumerable().Where(item => !IsOfGrants(item.Key));
        var version = services.GetRequiredService<CurrentSettings>().Prepare(
            present.Where(item => !given.ContainsKey(item.Key)).Concat(given));
        return version.Problems() is { Count: > 0 } problems ? throw new ConfigurationException(problems) : version.Get<GrantPolicy>();
    }

    private static Dictionary<string, string?> Read(string file)
    {
        try
        {
            var source = new SettingsFile(Path.GetFullPath(file), isOptional: true);
            return source.Parse(source.Read() ?? throw new ConfigurationException([$"--config {file} is not there."]));
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException([$"--config {file}: {exception.Message}"]);
        }
    }

    private static bool IsOfGrants(string key) =>
        key.Equals(GrantsOptions.Section, StringComparison.OrdinalIgnoreCase)
        || key.StartsWith($"{GrantsOptions.Section}:", StringComparison.OrdinalIgnoreCase);

    private static IEnumerable<string> Lines(string realm, IReadOnlyList<TrialRow> rows)
    {
        var due = rows.Where(row => row.State == TrialStates.Due).Sum(row => row.Credits);
        var later = rows.Where(row => row.State != TrialStates.Lapsed).Sum(row => row.Credits) - due;
        return
        [
            $"Realm {Printable.Of(realm)}: {Number(due)} credits at once, and at most {Number(later)} later.",
            .. Printable.Columns([ColumnHeads, .. rows.Select(row => (string[])
            [
                Printable.Of(row.Grant ?? "-"), Printable.Of(row.Rule ?? "-"), row.State,
                row.Users.ToString(CultureInfo.InvariantCulture), Number(row.Credits), row.Budget is { } budget ? Number(budget) : "-",
            ])]),
        ];
    }

    private static string ToJson(TrialRow row) => JsonSerializer.Serialize(row, TrialJson.Default.TrialRow);

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(TrialRow))]
internal sealed partial class TrialJson : JsonSerializerContext;
