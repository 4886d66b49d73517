using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Cli.Setup;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Doctor;
using KeycloakCreditBridge.Keycloak.Tokens;

namespace KeycloakCreditBridge.Cli.Doctor;

/// <summary>Says what is wrong, one line for each check, and what to do about it. Changes nothing.</summary>
internal static class DoctorCommand
{
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON object a check on standard output." };

    private static readonly Option<bool> Strict = new("--strict") { Description = "End with 1 for a warning too." };

    public static Command Command(Func<ParseResult, string[]> settings)
    {
        var webhookUrl = SetupSyntax.NewWebhookUrl();
        var command = new Command("doctor", HelpText.Doctor) { Json, Strict, webhookUrl };
        AdministratorSyntax.AddTo(command);
        command.SetAction((parsed, _) => RunAsync(
            [.. settings(parsed), .. SetupSyntax.Setting(parsed.GetValue(webhookUrl))],
            AdministratorSyntax.Parse(parsed), parsed.GetValue(Json), parsed.GetValue(Strict)));
        return command;
    }

    private static async Task<int> RunAsync(string[] settings, Administrator? administrator, bool json, bool strict)
    {
        var builder = Program.Compose(settings);
        builder.Services.AddSingleton(LogTarget.Command);
        await using var app = builder.Build();
        using var stop = new StopSignal(() => { });
        List<CheckResult> all = [];
        await DoctorRun.RunAsync(
            app.Services,
            administrator,
            examined =>
            {
                all.Add(examined);
                Console.Out.WriteLine(json ? Result(examined) : Text(examined));
            },
            stop.Token);
        return CodeOf(all, strict ? Verdict.Warn : Verdict.Fail);
    }

    /// <summary>The exit code, where what is as bad as <paramref name="fault"/> counts.</summary>
    internal static int CodeOf(IReadOnlyCollection<CheckResult> all, Verdict fault)
    {
        var gates = all.Where(examined => examined.IsGate).ToList();
        // The database is one of them and a realm at least another.
        if (gates.Count > 1 && gates.TrueForAll(gate => gate.Finding.Unreachable))
            return ExitCode.Unreachable;
        return all.Any(examined => examined.Finding.Verdict >= fault) ? ExitCode.SomeFailed : ExitCode.Done;
    }

    private static string Text(CheckResult examined)
    {
        var subject = examined.Realm is null ? examined.Check : $"{examined.Check} of {examined.Realm}";
        var cure = examined.Finding.Cure is { } remedy ? $": {remedy}" : "";
        return $"{VerdictText(examined.Finding.Verdict),-5} {Printable.Of($"{subject}: {examined.Finding.Message}{cure}")}";
    }

    private static string Result(CheckResult examined) => JsonSerializer.Serialize(
        new DoctorResult(VerdictText(examined.Finding.Verdict), examined.Check, examined.Realm, examined.Finding.Message, examined.Finding.Cure),
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
/// <param name="Realm">Null where it concerns no single realm.</param>
/// <param name="Cure">What to do; null where <paramref name="Message"/> names it or nothing is to be done.</param>
internal sealed record DoctorResult(string Verdict, string Check, string? Realm, string Message, string? Cure);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DoctorResult))]
internal sealed partial class DoctorJson : JsonSerializerContext;
