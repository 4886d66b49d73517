using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Secrets;
using KeycloakCreditBridge.Storage.Migrations;
using KeycloakCreditBridge.Storage.Replicas;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Storage;

internal static class StorageModule
{
    public static void AddStorage(this IHostApplicationBuilder builder)
    {
        builder.AddSection<StorageOptions, StorageOptionsValidator>(StorageOptions.Section);
        builder.Services.TryAddSingleton<SecretRotation>();
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<StorageOptions>>().Value.BuildDataSource(
            services.GetRequiredService<SecretRotation>().Refresh, logger: services.GetService<ILogger<StorageOptions>>()));
        builder.Services.AddSingleton<Migrator>();
        builder.Services.AddSingleton<PrivilegeStore>();
        builder.Services.AddSingleton<ReplicaStore>();
    }
}
