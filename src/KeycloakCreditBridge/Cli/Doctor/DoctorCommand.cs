using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Setup;
using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Keycloak.Tokens;

namespace KeycloakCreditBridge.Cli.Doctor;

/// <summary>Prints a line for each check: what is wrong and the cure. Changes nothing.</summary>
internal static class DoctorCommand
{
    private const string Description =
        """
        Check everything that can be wrong and print a line for each, with its cure: configuration, database, privileges, Keycloak and its
        database, clock, roles, events, webhooks, hints, reconciliation. Changes nothing. Ends with 0 when nothing fails, 1 when something
        fails, and 3 when neither PostgreSQL nor Keycloak can be reached. With an administrator it also checks what the bridge's own roles
        cannot read: the webhook's secret in Keycloak, federations, how long admin events are kept.
        """;

    private static readonly Option<bool> Json = ResultSyntax.Json("check");

    private static readonly Option<bool> Strict = new("--strict") { Description = "Warnings count as failures." };

    public static Command Command(CommandHost host)
    {
        var webhookUrl = SetupSyntax.NewWebhookUrl();
        var command = new Command("doctor", Description) { Json, Strict, webhookUrl };
        AdministratorSyntax.AddTo(command);
        command.SetAction((parsed, _) => RunAsync(
            host, [.. host.Settings(parsed), .. SetupSyntax.Setting(parsed.GetValue(webhookUrl))],
            AdministratorSyntax.Parse(parsed), parsed.GetValue(Json), parsed.GetValue(Strict)));
        return command;
    }

    private static async Task<int> RunAsync(
        CommandHost host, string[] settings, Administrator? administrator, bool json, bool strict)
    {
        await using var app = host.BuildCommand(settings);
        using var stop = new StopSignal(() => { });
        List<CheckResult> all = [];
        await DoctorRun.RunAsync(
            app.Services,
            administrator,
            result =>
            {
                all.Add(result);
                Console.Out.WriteLine(json ? Result(result) : Text(result));
            },
            stop.Token);
        return CodeOf(all, strict ? Verdict.Warn : Verdict.Fail);
    }

    /// <summary>The exit code, where a verdict at least as bad as <paramref name="fault"/> counts.</summary>
    internal static int CodeOf(IReadOnlyCollection<CheckResult> all, Verdict fault)
    {
        var gates = all.Where(result => result.IsGate).ToList();
        // The database is one of them and a realm at least another.
        if (gates.Count > 1 && gates.TrueForAll(gate => gate.Finding.Unreachable))
            return ExitCode.Unreachable;
        return all.Any(result => result.Finding.Verdict >= fault) ? ExitCode.SomeFailed : ExitCode.Done;
    }

    private static string Text(CheckResult result)
    {
        var subject = result.Realm is null ? result.Check : $"{result.Check} of {result.Realm}";
        var cure = result.Finding.Cure is { } remedy ? $": {remedy}" : "";
        return $"{VerdictText(result.Finding.Verdict),-5} {Printable.Of($"{subject}: {result.Finding.Message}{cure}")}";
    }

    private static string Result(CheckResult result) => JsonSerializer.Serialize(
        new DoctorResult(VerdictText(result.Finding.Verdict), result.Check, result.Realm, result.Finding.Message, result.Finding.Cure),
        DoctorJson.Default.DoctorResult);

    private static string VerdictText(Verdict verdict) => verdict switch
    {
        Verdict.Ok => "ok",
        Verdict.Warn => "warn",
        _ => "FAIL",
    };
}

/// <summary>A line of `doctor --json`.</summary>
/// <param name="Verdict">`ok`, `warn` or `FAIL`.</param>
/// <param name="Realm">Null where the check concerns no single realm.</param>
/// <param name="Cure">What to do; null where <paramref name="Message"/> names it or there is nothing to do.</param>
internal sealed record DoctorResult(string Verdict, string Check, string? Realm, string Message, string? Cure);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DoctorResult))]
internal sealed partial class DoctorJson : JsonSerializerContext;
