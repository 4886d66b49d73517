using System.CommandLine;
using System.Security.Cryptography;
using KeycloakCreditBridge.Chaos;
using KeycloakCreditBridge.Chaos.Checks;
using KeycloakCreditBridge.Chaos.Fuzzing;
using KeycloakCreditBridge.Chaos.Plans;
using KeycloakCreditBridge.Chaos.Plants;
using KeycloakCreditBridge.Chaos.World;

var seed = new Option<int?>("--seed")
{
    Description = "The seed of the plan; a new one when it is left out. The same seed and sizes make the same plan.",
};
var registrations = new Option<int?>("--registrations") { Description = "How many users register; 8 a second by default." };
var faults = new Option<int?>("--faults") { Description = "How many faults are injected; 40 a minute by default." };
var minutes = new Option<double?>("--minutes")
{
    Description = "How long the workload lasts; long enough for registrations and faults by default.",
};
var only = new Option<FaultKind[]>("--only")
{
    Description = "The kinds of faults; all by default.", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [],
};
var keycloak = new Option<bool>("--keycloak") { Description = "Use a real Keycloak in place of the emulator." };
var selfTest = new Option<bool>("--self-test")
{
    Description = "Breaks each promise once in the records of a small run without faults; 0 when the checks find all of them.",
};
var plant = new Option<string>("--plant")
{
    Description = "The same for the broken promises with this text in their names.", DefaultValueFactory = _ => "",
};
var fuzz = new Option<int?>("--fuzz")
{
    Description = "Starts nothing, and has every reader of foreign bodies read so many fuzzed ones.",
};
var previous = new Option<string?>("--previous")
{
    Description = "A published program of a release before, executable or .dll: one of the two replicas runs it.",
};
var command = new RootCommand(
    """
    Shakes a whole system and checks its promises: two bridge processes, a PostgreSQL of its own and a Keycloak, each behind a proxy. A seed
    decides what users and callers do and which faults happen when. Afterwards checks from outside compare what callers were told with what
    Keycloak and the database say. The exit code is 1 when a promise was not kept.
    """)
{
    seed, registrations, faults, minutes, only, keycloak, selfTest, plant, fuzz, previous,
};
command.SetAction(async (result, token) =>
{
    if (result.GetValue(fuzz) is { } bodies)
        return FuzzReport.Of(result.GetValue(seed) ?? RandomNumberGenerator.GetInt32(int.MaxValue), bodies, Console.WriteLine);
    var isReal = result.GetValue(keycloak);
    var planted = result.GetValue(plant)!;
    var isSelfTest = result.GetValue(selfTest) || planted.Length > 0;
    var (users, shaken) = isSelfTest ? (80, 0) : (result.GetValue(registrations), result.GetValue(faults));
    var duration = isSelfTest ? TimeSpan.FromSeconds(12)
        : result.GetValue(minutes) is { } given
        ? TimeSpan.FromMinutes(given)
        : TimeSpan.FromSeconds(Math.Max(60, Math.Max((users ?? 0) / 20.0, (shaken ?? 0) * 0.75)));
    var plan = new PlanBuilder(
        result.GetValue(seed) ?? (isSelfTest ? 1 : RandomNumberGenerator.GetInt32(int.MaxValue)), duration,
        users ?? (int)(duration.TotalSeconds * 8),
        shaken ?? (int)(duration.TotalMinutes * 40), result.GetValue(only)!, !isReal).Build();
    Console.WriteLine(plan);
    await using var world = await ChaosWorld.StartAsync(isReal, plan.AccountId, result.GetValue(previous), Console.WriteLine, token);
    var run = new ChaosRun(world, plan, Console.WriteLine);
    var file = await run.RunAsync(token);
    var findings = AllChecks.Of(file);
    foreach (var line in Report.Of(plan, file, run.TimeToCalm, findings))
        Console.WriteLine(line);
    var missed = isSelfTest && findings.Count == 0 ? await SelfTest.RunAsync(world, file, planted, Console.WriteLine) : [];
    return findings.Count + missed.Count == 0 ? 0 : 1;
});
return await command.Parse(args).InvokeAsync();
