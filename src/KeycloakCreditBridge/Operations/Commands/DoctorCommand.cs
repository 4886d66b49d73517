using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Operations.Diagnosis;
using KeycloakCreditBridge.Operations.Setup;

namespace KeycloakCreditBridge.Operations.Commands;

/// <summary>Says what is wrong, one line for each check, and what to do about it. Changes nothing.</summary>
internal static class DoctorCommand
{
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON object a check on standard output." };

    private static readonly Option<bool> Strict = new("--strict") { Description = "End with 1 for a warning too." };

    public static Command Command(Func<ParseResult, string[]> settings)
    {
        var webhookUrl = SetupSyntax.NewWebhookUrl();
        var command = new Command("doctor", Manual.Doctor) { Json, Strict, webhookUrl };
        AdministratorSyntax.AddTo(command);
        command.SetAction((parsed, _) => RunAsync(
            [.. settings(parsed), .. SetupSyntax.Setting(parsed.GetValue(webhookUrl))],
            AdministratorSyntax.Of(parsed), parsed.GetValue(Json), parsed.GetValue(Strict)));
        return command;
    }

    private static async Task<int> RunAsync(string[] settings, Administrator? administrator, bool json, bool strict)
    {
        var builder = Program.Compose(settings);
        builder.Services.AddSingleton(LogTarget.Command);
        await using var app = builder.Build();
        using var stop = new StopSignal(() => { });
        List<Examined> all = [];
        await Examination.RunAsync(
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
    internal static int CodeOf(IReadOnlyCollection<Examined> all, Verdict fault)
    {
        var gates = all.Where(examined => examined.IsGate).ToList();
        // The database is one of them and a realm at least another.
        if (gates.Count > 1 && gates.TrueForAll(gate => gate.Finding.Unreachable))
            return ExitCode.Unreachable;
        return all.Any(examined => examined.Finding.Verdict >= fault) ? ExitCode.SomeFailed : ExitCode.Done;
    }

    private static string Text(Examined examined)
    {
        var subject = examined.Realm is null ? examined.Check : $"{examined.Check} of {examined.Realm}";
        var cure = examined.Finding.Cure is { } remedy ? $": {remedy}" : "";
        return $"{Word(examined.Finding.Verdict),-5} {Printable.Of($"{subject}: {examined.Finding.Says}{cure}")}";
    }

    private static string Result(Examined examined) => JsonSerializer.Serialize(
        new DoctorResult(Word(examined.Finding.Verdict), examined.Check, examined.Realm, examined.Finding.Says, examined.Finding.Cure),
        DoctorJson.Default.DoctorResult);

    private static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Ok => "ok",
        Verdict.Warn => "warn",
        _ => "FAIL",
    };
}

/// <summary>A line of `doctor --json`.</summary>
/// <param name="Verdict">`ok`, `warn` or `FAIL`.</param>
/// <param name="Realm">Null where it concerns no single realm.</param>
/// <param name="Cure">What to do; null where <paramref name="Says"/> names it or nothing is to be done.</param>
internal sealed record DoctorResult(string Verdict, string Check, string? Realm, string Says, string? Cure);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DoctorResult))]
internal sealed partial class DoctorJson : JsonSerializerContext;
