using KeycloakCreditBridge.Benchmarks;
using KeycloakCreditBridge.Sandbox.Postgres;

// Each measurement stands beside its reference in the same run; --quick makes everything smaller, for a look in two minutes.
var quick = args.Contains("--quick");
await using var server = await PrivatePostgres.StartAsync(
    new PrivatePostgresOptions(Path.GetTempPath(), Say: Console.Error.WriteLine), CancellationToken.None);
List<Result> results =
[
    await BulkBenchmark.RunAsync(server, quick ? 20_000 : 100_000, quick ? 1 : 3),
    await SingleUserBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 3 : 10)),
    await WebhookBenchmark.RunAsync(server, quick ? 200 : 1_000),
    await StartBenchmark.RunAsync(server, TimeSpan.FromSeconds(quick ? 5 : 30)),
];
Console.WriteLine($"{Environment.ProcessorCount} cores, PostgreSQL and bridge on the same machine, fsync on.");
Result.Print(results);
