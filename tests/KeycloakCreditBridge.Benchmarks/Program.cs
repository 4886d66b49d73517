using KeycloakCreditBridge.Benchmarks;
using KeycloakCreditBridge.Benchmarks.Arrivals;
using KeycloakCreditBridge.Benchmarks.Credits;
using KeycloakCreditBridge.Benchmarks.Events;
using KeycloakCreditBridge.Benchmarks.Light;
using KeycloakCreditBridge.Benchmarks.Limits;
using KeycloakCreditBridge.Benchmarks.Measurement;
using KeycloakCreditBridge.Benchmarks.Scale;
using KeycloakCreditBridge.Sandbox.Postgres;

// Each measurement stands beside its reference in the same run; --quick makes everything smaller and takes two minutes. --ways measures
// the time from registration to account, with a real Keycloak, instead; --scale how a large realm of a real Keycloak is read (--scale
// 100000 for another size, --without-windows to leave out what takes Keycloak minutes); --credits measures the HTTP API alone, --periods
// the end of all accounts' periods, --lots credits with an end, --grants accounts under policies, --signals accounts whose users are asked
// all signals, --try a trial of policies over a large realm, --codes many users that redeem one code at once, --hints one hint at a time,
// --webhooks accounts that are converged before the answer, --burst many webhooks at once, with a real Keycloak too where there is one,
// --broker many events by RabbitMQ, --deliveries what deliveries cost, --milestones what milestones cost, --events what events about
// credits cost and how fast they are sent, --reports how soon reports are answered, --limits what a user costs and what the disk can do,
// --page how soon screens of the operator page are answered, --logs what lines about users and hot settings cost, --light what the
// installed program takes (--light FOLDER for one that is published already).
var quick = args.Contains("--quick");
var load = OperatingSystem.IsLinux() ? $" Load when it began: {(await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0]}." : "";
await using var server = await PrivatePostgres.StartAsync(
    new PrivatePostgresOptions(Path.GetTempPath(), Report: Console.Error.WriteLine), CancellationToken.None);
List<Result> results = args.Contains("--ways") ? await MeasureWaysAsync()
    : args.Contains("--scale") ? [
        .. await ScaleBenchmark.RunAsync(server, Users() ?? (quick ? 20_000 : 1_000_000), !args.Contains("--without-windows"))]
    : args.Contains("--credits") ? [.. await CreditsBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 3 : 10))]
    : args.Contains("--periods") ? [await PeriodBenchmark.RunAsync(server, quick ? 50_000 : 1_000_000)]
    : args.Contains("--lots") ? [.. await LotBenchmark.RunAsync(server, quick)]
    : args.Contains("--grants") ? [.. await GrantBenchmark.RunAsync(server, quick ? 20_000 : 100_000, Rounds())]
    : args.Contains("--signals") ? [.. await SignalBenchmark.RunAsync(server, quick ? 20_000 : 100_000, Rounds())]
    : args.Contains("--codes") ? [.. await CodesBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 3 : 10), Rounds())]
    : args.Contains("--try") ? [.. await TrialBenchmark.RunAsync(server, quick ? 20_000 : 1_000_000)]
    : args.Contains("--hints") ? [.. await MeasureHintsAsync()]
    : args.Contains("--webhooks") ? [
        .. await AnswerBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 3 : 10), quick ? 10_000 : 60_000, Rounds())]
    : args.Contains("--burst") ? [
        .. await BurstBenchmark.WithEmulatorAsync(server, BurstUsers(), Rounds()),
        .. await BurstBenchmark.WithKeycloakAsync(server, BurstUsers(), Rounds())]
    : args.Contains("--broker") ? [.. await BrokerBenchmark.RunAsync(server, quick ? 10_000 : 100_000)]
    : args.Contains("--page") ? [.. await PageBenchmark.RunAsync(server, 100_000, quick ? 200_000 : 2_000_000)]
    : args.Contains("--logs") ? [.. await LineBenchmark.RunAsync(quick ? 10_000 : 200_000)]
    : args.Contains("--deliveries") ? [
        .. await RecordsBenchmark.RunAsync(server, BurstUsers(), Rounds(), quick ? 100_000 : 1_000_000)]
    : args.Contains("--milestones") ? [
        .. await MilestoneBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 2 : 4), quick ? 3 : 12)]
    : args.Contains("--events") ? [
        .. await OutboxBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 2 : 4), quick ? 3 : 12, quick ? 20_000 : 100_000)]
    : args.Contains("--reports") ? [.. await ReportBenchmark.RunAsync(server, Users() ?? (quick ? 100_000 : 1_000_000))]
    : args.Contains("--light") ? [
        .. await LightBenchmark.RunAsync(
            server, TimeSpan.FromSeconds(quick ? 10 : 60), quick ? 2_000 : 10_000, args.FirstOrDefault(Directory.Exists))]
    : args.Contains("--limits") ? [.. await LimitsBenchmark.RunAsync(server, quick ? 10_000 : 100_000, TimeSpan.FromSeconds(quick ? 2 : 5))]
    :
[
    await BulkBenchmark.RunAsync(server, quick ? 20_000 : 100_000, Rounds()),
    .. await MeasureHintsAsync(),
    .. await BurstBenchmark.WithEmulatorAsync(server, BurstUsers(), Rounds()),
    await WebhookBenchmark.RunAsync(server, quick ? 200 : 1_000),
    await StartBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 5 : 30)),
    .. await CreditsBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 3 : 10)),
];
Console.WriteLine($"{Environment.ProcessorCount} cores, PostgreSQL and bridge on the same machine, fsync on.{load}");
Result.Print(results);

int Rounds() => quick ? 1 : 3;

int BurstUsers() => quick ? 1_000 : 10_000;

int? Users() =>
    args.Select(argument => int.TryParse(argument, out var number) ? number : (int?)null).FirstOrDefault(number => number is not null);

Task<IReadOnlyList<Result>> MeasureHintsAsync() =>
    HintBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 3 : 10), quick ? 20_000 : 100_000, Rounds());

async Task<List<Result>> MeasureWaysAsync()
{
    List<Result> measured = [];
    await using (var arrivals = await ArrivalBenchmark.StartAsync(server))
    {
        if (arrivals is null)
            await Console.Error.WriteLineAsync(
                "No real Keycloak with webhooks: set KEYCLOAK_DISTRIBUTIONS. Only the endpoint is measured.");
        else
            measured.AddRange(await arrivals.RunAsync(quick ? 30 : 300, quick ? 5 : 50, quick ? 20 : 200));
    }

    measured.AddRange(await EndpointBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 2 : 10), quick ? 1 : 3));
    return measured;
}
