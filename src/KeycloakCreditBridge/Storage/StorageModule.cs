using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Storage;

internal static class StorageModule
{
    public static void AddStorage(this IHostApplicationBuilder builder)
    {
        builder.AddSection<StorageOptions, StorageOptionsValidator>(StorageOptions.Section);
        builder.Services.AddSingleton(services =>
            NpgsqlDataSource.Create(services.GetRequiredService<IOptions<StorageOptions>>().Value.BuildConnectionString()));
        builder.Services.AddSingleton<Migrator>();
        builder.Services.AddSingleton<PrivilegeStore>();
        builder.Services.AddSingleton<ReplicaStore>();
    }
}
